"""Agent folders with the names of placeholders: they are one agent's trouble, not everyone's."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstore import discover


@pytest.mark.parametrize("name", ["(multiple)", "{agentId}", "x{agentId}y", "(multiple) 2"])
def test_agent_folder_named_like_a_placeholder_hides_no_other(tmp_path: Path, name: str) -> None:
    for agent in (name, "main"):
        folder = tmp_path / "agents" / agent / "sessions"
        folder.mkdir(parents=True)
        (folder / "sessions.json").write_text("{}")
    found = discover(tmp_path)
    assert "main" in {paths.agent_id for paths in found if paths.problem is None}
    assert len(found) == 2
