"""Finding every agent's store below a state directory, following nothing."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore import StoreIOError, StorePaths, UnsupportedStoreError, discover
from sessionstore.paths import agent_id_of_path, store_paths
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import entry, picture, write_legacy, write_unadopted


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir()
    return path


def agent(state: Path, name: str) -> Path:
    """An agent with a legacy store; returns its sessions folder."""
    return write_legacy(
        state / "agents" / name / "sessions" / "sessions.json", {"main": entry()}
    ).parent


def configure(state: Path, *ids: str) -> None:
    config = {"agents": {"list": [{"id": name} for name in ids]}}
    (state / "openclaw.json").write_text(json.dumps(config))


def found(state: Path, template: str | None = None) -> dict[str | None, StorePaths]:
    stores = discover(state, store_template=template)
    assert len({store.store_path for store in stores}) == len(stores)
    return {store.agent_id: store for store in stores}


def test_discover_lists_every_agent_sorted(state: Path) -> None:
    for name in ("work", "main"):
        agent(state, name)
    assert [store.agent_id for store in discover(state)] == ["main", "work"]


def test_discover_tells_configured_from_discovered_agents(state: Path) -> None:
    for name in ("main", "left-over"):
        agent(state, name)
    configure(state, "main", "planned")
    origins = {name: store.origin for name, store in found(state).items()}
    assert origins == {"main": "default", "planned": "default", "left-over": "discovered"}


def test_discover_lists_both_layouts(state: Path) -> None:
    agent(state, "legacy")
    write_unadopted(state / "agents" / "new" / "sessions" / "sessions.json", {"main": entry()})
    assert sorted(str(name) for name in found(state)) == ["legacy", "new"]


def test_discover_keeps_the_spelling_of_the_folder_on_disk(state: Path) -> None:
    folder = agent(state, "My Agent")
    stores = found(state)
    assert stores["my-agent"].store_path == folder / "sessions.json"


def test_discover_changes_nothing(state: Path) -> None:
    agent(state, "main")
    before = picture(state)
    discover(state)
    assert picture(state) == before


def test_discover_of_an_empty_state_directory_is_empty(state: Path) -> None:
    assert discover(state) == []


def test_discover_without_a_state_directory_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        discover(tmp_path / "absent")


def move_out(path: Path, tmp_path: Path) -> Path:
    """Replace a path by a link to where it was moved."""
    outside = tmp_path / "outside" / path.name
    outside.parent.mkdir()
    path.rename(outside)
    path.symlink_to(outside)
    return outside


LINKS: dict[str, Callable[[Path], Path]] = {
    "agent": lambda folder: folder.parent,
    "sessions": lambda folder: folder,
    "sessions.json": lambda folder: folder / "sessions.json",
    "sessions.d": lambda folder: folder / "sessions.d",
}


@pytest.mark.parametrize("part", LINKS)
def test_link_is_reported_by_name_and_not_followed(state: Path, tmp_path: Path, part: str) -> None:
    agent(state, "good")
    folder = agent(state, "bad")
    (folder / "sessions.d").mkdir()
    outside = move_out(LINKS[part](folder), tmp_path)
    before = picture(outside.parent)
    stores = found(state)
    problem = stores["bad"].problem
    assert problem is not None
    assert (problem.rule, problem.severity) == ("linked-path", "error")
    assert problem.path == str(LINKS[part](folder))
    assert str(outside) in problem.hint
    assert stores["good"].problem is None
    assert picture(outside.parent) == before


def test_linked_agents_folder_is_reported(state: Path, tmp_path: Path) -> None:
    agent(state, "main")
    move_out(state / "agents", tmp_path)
    (store,) = discover(state)
    assert store.problem is not None
    assert store.problem.rule == "linked-path"


def test_file_in_place_of_a_folder_is_reported(state: Path) -> None:
    folder = agent(state, "bad")
    (folder / "sessions.d").write_text("")
    agent(state, "good")
    stores = found(state)
    assert stores["bad"].problem is not None
    assert stores["good"].problem is None


@pytest.mark.parametrize("code", ["EACCES", "EIO"])
def test_unreadable_agent_is_reported_and_others_are_listed(state: Path, code: str) -> None:
    for name in ("bad", "good"):
        agent(state, name)

    def is_bad(path: object, *args: object, **kwargs: object) -> bool:
        return "/bad/" in str(path)

    for call in ("listdir", "lstat"):
        with injected(call, getattr(errno, code), when=is_bad):
            stores = found(state)
        problem = stores["bad"].problem
        assert problem is not None
        assert (problem.rule, problem.severity) == ("unreadable", "error")
        assert stores["good"].problem is None


def test_state_directory_that_cannot_be_listed_raises(state: Path) -> None:
    with injected("listdir", errno.EACCES), pytest.raises(StoreIOError):
        discover(state)


def test_template_is_expanded_for_configured_and_discovered_agents(
    state: Path, tmp_path: Path
) -> None:
    configure(state, "main", "planned")
    agent(state, "left-over")
    write_legacy(tmp_path / "custom" / "own" / "sessions.json", {})
    stores = discover(state, store_template=f"{tmp_path}/custom/{{agentId}}/sessions.json")
    custom = {store.agent_id: store for store in stores if store.origin == "configured"}
    assert sorted(str(name) for name in custom) == ["left-over", "main", "own", "planned"]
    assert all("{agentId}" not in str(store.store_path) for store in stores)
    assert custom["own"].store_path == tmp_path / "custom" / "own" / "sessions.json"


def test_template_with_the_agent_in_the_file_name_gives_disjoint_stores(
    state: Path, tmp_path: Path
) -> None:
    configure(state, "a", "b")
    stores = discover(state, store_template=f"{tmp_path}/x/sessions-{{agentId}}.json")
    custom = [store for store in stores if store.origin == "configured"]
    assert [store.directory.name for store in custom] == ["sessions-a.d", "sessions-b.d"]
    assert len({store.sidecar for store in custom}) == 2


def test_template_without_placeholder_is_one_store(state: Path, tmp_path: Path) -> None:
    configure(state, "a", "b")
    stores = discover(state, store_template=f"{tmp_path}/shared.json")
    assert [s.store_path for s in stores if s.origin == "configured"] == [tmp_path / "shared.json"]


def test_template_naming_the_default_place_lists_each_store_once(state: Path) -> None:
    for name in ("main", "work"):
        agent(state, name)
    template = f"{state}/agents/{{agentId}}/sessions/sessions.json"
    assert len(discover(state, store_template=template)) == 2


def test_store_reached_by_two_paths_is_listed_once(state: Path, tmp_path: Path) -> None:
    agent(state, "main")
    (tmp_path / "alias").symlink_to(state / "agents" / "main" / "sessions")
    stores = discover(state, store_template=f"{tmp_path}/alias/sessions.json")
    assert len([store for store in stores if store.problem is None]) == 1


@pytest.mark.parametrize("part", [".", "sessions"])
def test_a_link_to_a_store_does_not_hide_it(state: Path, part: str) -> None:
    agent(state, "main")
    link = state / "agents" / "a-link" / part
    if part == "sessions":
        link.parent.mkdir()
    link.symlink_to(state / "agents" / "main" / part)
    found = {store.agent_id: store.problem and store.problem.rule for store in discover(state)}
    assert found == {"a-link": "linked-path", "main": None}


@pytest.mark.parametrize("template", ["sessions.json", "./{agentId}/sessions.json"])
def test_relative_template_is_refused(state: Path, template: str) -> None:
    with pytest.raises(UnsupportedStoreError):
        discover(state, store_template=template)


@pytest.mark.parametrize("text", ["{", "", "[]", '{"agents": 5}', '{"agents": {"list": [5, {}]}}'])
def test_damaged_config_hides_no_store(state: Path, text: str) -> None:
    agent(state, "main")
    (state / "openclaw.json").write_text(text)
    assert list(found(state)) == ["main"]


@pytest.mark.parametrize(
    ("path", "agent_id"),
    [
        ("/s/agents/main/sessions/sessions.json", "main"),
        ("C:\\x\\agents\\a\\sessions\\sessions.json", "a"),
        ("C:/x/agents/a/sessions/sessions.json", "a"),
        ("/s/agents/main/other/sessions.json", None),
        ("/x/sessions.json", None),
        ("(multiple)", None),
        ("sessions.json", None),
    ],
)
def test_agent_id_is_parsed_with_either_separator(path: str, agent_id: str | None) -> None:
    assert agent_id_of_path(path) == agent_id


@pytest.mark.parametrize("path", ["(multiple)", "x/{agentId}/sessions.json", "", "a\0b"])
def test_placeholder_never_becomes_a_path(path: str) -> None:
    with pytest.raises(UnsupportedStoreError):
        store_paths(path)


def test_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_paths("sessions.json").store_path == tmp_path / "sessions.json"
