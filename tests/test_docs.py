"""What the README and docs say is so: code runs, links lead somewhere, settings exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_links_only_to_files_that_exist(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_readme_example_runs_as_it_stands(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    path = "/home/me/.openclaw/agents/main/sessions/sessions.json"
    assert path in example
    scope: dict[str, object] = {}
    exec(compile(example.replace(path, str(tmp_path / "sessions.json")), "README", "exec"), scope)
    assert scope["store"].get("agent:main:main")["runs"] == 1  # type: ignore[attr-defined]
    assert scope["entry"] == scope["store"].get("agent:main:telegram:direct:42")  # type: ignore[attr-defined]


def test_readme_lists_exactly_the_settings_that_are_read() -> None:
    named = set(
        re.findall(r"`(SESSIONSTORE_[A-Z_]+|DATABASE_URL)`", (ROOT / "README.md").read_text())
    )
    source = (ROOT / "dashboard" / "settings" / "__init__.py").read_text()
    assert named == set(re.findall(r'"(SESSIONSTORE_[A-Z_]+|DATABASE_URL)"', source))


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert (
        targets - set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        == set()
    )


def test_no_page_names_a_path_of_somebodys_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/(root|work|Users)/|/tmp/[a-z]", page.read_text()), page.name
