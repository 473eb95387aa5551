"""A guard directory at the store's path: everything works on the store that it guards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore import Keeper, Store, aio, discover, held_locks, open_store, undo, versions
from sessionstore.index import Index, Query
from sessionstore.layout import detect_layout
from sessionstore.migration.guarding import GUARD_NOTE_NAME, guard_note, is_guard
from sessionstore.paths import store_paths
from tests.sessionstore.helpers import entry, sound, write_unadopted

KEY = "agent:main:main"


@pytest.fixture(params=["bare", "with a note"])
def guarded(request: pytest.FixtureRequest, store_file: Path) -> Path:
    """A store path with a guard, and one session in the directory beside it."""
    with open_store(store_file) as store:
        store.put(KEY, entry(label="old"))
    store_file.mkdir()
    if request.param == "with a note":
        (store_file / GUARD_NOTE_NAME).write_bytes(guard_note(store_paths(store_file)))
    return store_file


@pytest.fixture
def store(guarded: Path) -> Store:
    return open_store(guarded)


def test_a_guard_is_told_from_other_directories(guarded: Path) -> None:
    assert is_guard(store_paths(guarded))
    (guarded / "mine.txt").write_text("")
    assert not is_guard(store_paths(guarded))


def test_no_guard_is_seen_where_there_is_a_file_a_link_or_nothing(tmp_path: Path) -> None:
    paths = store_paths(tmp_path / "sessions.json")
    assert not is_guard(paths)
    paths.store_path.write_text("{}")
    assert not is_guard(paths)
    paths.store_path.unlink()
    (tmp_path / "elsewhere").mkdir()
    paths.store_path.symlink_to(tmp_path / "elsewhere")
    assert not is_guard(paths)


def test_the_note_says_where_the_sessions_are_and_how_to_go_back(tmp_path: Path) -> None:
    note = guard_note(store_paths(tmp_path / "mine.json")).decode()
    assert "mine.d/" in note and "mine.json" in note and "rollback" in note


@pytest.mark.parametrize(
    "spelt", [lambda path: path, lambda path: path.parent, lambda path: path.with_suffix(".d")]
)
def test_every_way_to_name_the_store_opens_it(guarded: Path, spelt: Callable[[Path], Path]) -> None:
    with open_store(spelt(guarded)) as store:
        assert store.path == guarded
        assert store.layout == "directory"
        assert store.get(KEY) == entry(label="old")


def test_a_guarded_store_is_written(store: Store, guarded: Path) -> None:
    store.patch(KEY, {"label": "new"})
    store.put("agent:main:other", entry())
    store.update_all(lambda every: every[KEY].update(n=1))
    assert store.delete("agent:main:other")
    store.reset(KEY, session_id="s-2")
    with open_store(guarded) as again:
        assert (again.get(KEY) or {})["sessionId"] == "s-2"
        assert len(again.history(KEY)) == 1
    assert is_guard(store.paths)


def test_an_operators_change_is_undone_in_a_guarded_store(store: Store) -> None:
    kept = store.keeping(Keeper("edit"))
    kept.patch(KEY, {"label": "new"})
    (version,) = versions(store, KEY)
    undo(kept, version.id)
    assert (store.get(KEY) or {})["label"] == "old"


def test_the_asyncio_twin_opens_a_guarded_store(guarded: Path) -> None:
    async def read() -> object:
        store = aio.open_store(guarded)
        try:
            return await store.get(KEY)
        finally:
            await store.close()

    assert asyncio.run(read()) == entry(label="old")


def test_a_guard_is_a_finding_for_information_only(store: Store) -> None:
    (finding,) = store.problems()
    assert (finding.rule, finding.severity) == ("guarded-store", "info")
    assert sound(store)


def test_a_directory_with_other_things_in_it_is_a_warning(store: Store) -> None:
    (store.path / "mine.txt").write_text("")
    (finding,) = store.problems()
    assert (finding.rule, finding.severity) == ("odd-path", "warning")


def test_a_guarded_store_is_discovered_without_a_problem(guarded: Path) -> None:
    (found,) = discover(guarded.parents[3])
    assert (found.store_path, found.problem) == (guarded, None)


def test_a_guarded_store_of_a_template_is_discovered(guarded: Path) -> None:
    template = str(guarded).replace("/main/", "/{agentId}/")
    found = discover(guarded.parents[3], store_template=template)
    assert [(one.store_path, one.problem) for one in found] == [(guarded, None)]


def test_the_index_lists_a_guarded_store(guarded: Path) -> None:
    index = Index(store_paths(guarded))
    index.refresh()
    assert index.layout == "directory"
    assert [row.key for row in index.query(Query()).rows] == [KEY]
    assert index.summary().problems == 0


def test_locks_of_a_guarded_store_are_seen(store: Store) -> None:
    seen: list[str | None] = []

    def look(old: object) -> None:
        with open_store(store.path) as other:
            seen.extend(held.key for held in held_locks(other))

    store.update(KEY, look)
    assert seen == [KEY]


def test_an_unmarked_directory_beside_a_guard_is_adopted(store_file: Path) -> None:
    write_unadopted(store_file, {KEY: entry(label="theirs")})
    store_file.mkdir()
    with open_store(store_file) as store:
        assert store.get(KEY) == entry(label="theirs")
        store.patch(KEY, {"label": "mine"})
        assert (store.get(KEY) or {})["label"] == "mine"
        assert is_guard(store.paths)


def test_a_guard_alone_is_an_empty_store_that_can_be_written(store_file: Path) -> None:
    store_file.mkdir(parents=True)
    assert detect_layout(store_paths(store_file)) == "empty"
    with open_store(store_file) as store:
        store.put(KEY, entry())
        assert store.keys() == [KEY]
        assert store.layout == "directory"
