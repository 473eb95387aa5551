"""Which stores a run over a state directory concerns: requirements B13, D4, D5, D13, D14."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstore import UnsafeFileError, open_store, plan_migration
from sessionstore.migration import discover_migrations
from tests.sessionstore.migration.older_forms import KEY, dump, entry, put, tree, write_l0, write_l3


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with two configured agents and one that only the disk knows."""
    root = tmp_path / "state"
    for agent in ("main", "work", "old"):
        write_l0(root / "agents" / agent / "sessions", {f"agent:{agent}:main": entry(agent)})
    put(root / "openclaw.json", dump({"agents": {"list": [{"id": "main"}, {"id": "work"}]}}))
    return root


def refused(state_dir: Path, template: str | None = None) -> list[str]:
    """Messages of the stores that are refused."""
    stores = discover_migrations(state_dir, store_template=template)
    return [one.problem.message for one in stores if one.problem is not None]


def test_every_store_is_listed_once_with_its_origin(state: Path) -> None:
    template = f"{state}/agents/{{agentId}}/sessions/sessions.json"
    stores = discover_migrations(state, store_template=template)
    assert [(one.agent_id, one.origin) for one in stores] == [
        ("main", "default"),
        ("old", "discovered"),
        ("work", "default"),
    ]


def test_another_spelling_of_a_store_is_the_same_store(state: Path) -> None:
    (state / "alias").symlink_to(state / "agents")
    template = f"{state}/alias/{{agentId}}/sessions/sessions.json"
    stores = discover_migrations(state, store_template=template)
    assert len(stores) == 3


@pytest.mark.parametrize("part", ["agent", "sessions", "sessions.d", "sessions.json"])
def test_a_link_is_refused_by_name_and_nothing_outside_changes(
    state: Path, tmp_path: Path, part: str
) -> None:
    outside = tmp_path / "outside"
    write_l0(outside / "sessions", {KEY: entry("out")})
    write_l3(outside / "sessions" / "sessions.d", {KEY: entry("out")})
    agent = state / "agents" / "linked"
    if part == "agent":
        agent.symlink_to(outside)
    elif part == "sessions":
        agent.mkdir()
        (agent / "sessions").symlink_to(outside / "sessions")
    else:
        write_l0(agent / "sessions", {KEY: entry()})
        (agent / "sessions" / part).unlink(missing_ok=True)
        (agent / "sessions" / part).symlink_to(outside / "sessions" / part)
    before = tree(outside)
    stores = discover_migrations(state)
    (problem,) = [one.problem for one in stores if one.problem is not None]
    assert (problem.rule, problem.severity) == ("linked-path", "error")
    assert ("linked" if part == "agent" else part) in problem.message
    (bad,) = [one for one in stores if one.problem is not None]
    with pytest.raises(UnsafeFileError):
        open_store(bad)
    for one in stores:
        if one.problem is None:
            with open_store(one, gateway_lock_dir=tmp_path) as store:
                assert plan_migration(store).outcome == "migrated"
    assert tree(outside) == before


def test_a_store_outside_is_refused_with_its_real_path(state: Path, tmp_path: Path) -> None:
    write_l0(tmp_path / "custom", {KEY: entry()})
    template = str(tmp_path / "custom" / "sessions.json")
    (message,) = refused(state, template)
    assert template in message
    assert str(state) in message
    allowed = discover_migrations(state, store_template=template, allow_outside=True)
    assert [one.problem for one in allowed] == [None] * 4


def test_a_store_that_is_outside_only_by_a_link_above_it_is_refused(
    state: Path, tmp_path: Path
) -> None:
    write_l0(tmp_path / "custom" / "deep", {KEY: entry()})
    (state / "custom").symlink_to(tmp_path / "custom")
    (message,) = refused(state, f"{state}/custom/deep/sessions.json")
    assert str(tmp_path / "custom" / "deep" / "sessions.json") in message


def test_a_state_directory_that_is_a_link_itself_holds_its_stores(
    state: Path, tmp_path: Path
) -> None:
    (tmp_path / "alias").symlink_to(state)
    assert len(discover_migrations(tmp_path / "alias")) == 3
    assert refused(tmp_path / "alias") == []


def test_a_template_is_expanded_for_configured_and_discovered_agents(
    state: Path, tmp_path: Path
) -> None:
    template = f"{tmp_path}/custom/{{agentId}}/sessions.json"
    stores = discover_migrations(state, store_template=template, allow_outside=True)
    custom = [one.agent_id for one in stores if one.origin == "configured"]
    assert custom == ["main", "old", "work"]
    assert len(refused(state, template)) == 3


def test_a_folder_keeps_its_spelling_and_its_agent_is_normalised(state: Path) -> None:
    write_l0(state / "agents" / "My Agent" / "sessions", {KEY: entry()})
    (store,) = [one for one in discover_migrations(state) if one.agent_id == "my-agent"]
    assert store.store_path == state / "agents" / "My Agent" / "sessions" / "sessions.json"
