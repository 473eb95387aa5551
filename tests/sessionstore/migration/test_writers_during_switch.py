"""Writers and readers that never stop while a store is switched: nothing is lost, ever."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sessionstore import migrate, open_store, plan_rollback, rollback
from tests.sessionstore.children import writing
from tests.sessionstore.helpers import NOW, Child, child, sound
from tests.sessionstore.migration.runs import backups, leftovers, loaded, plan_of, run, write_store

KEYS = ("agent:main:a", "agent:main:b", "agent:main:<odd>")
QUIET = {
    f"agent:main:quiet-{number}": {"sessionId": "s", "updatedAt": NOW, "n": 0}
    for number in range(40)
}


def start_entries() -> dict[str, Any]:
    return {**{key: {"sessionId": "s", "updatedAt": NOW, "n": 0} for key in KEYS}, **QUIET}


def stop(children: list[Child]) -> list[Any]:
    for one in children:
        one.say("stop")
    return [one.hear() for one in children]


def busy(stack: ExitStack, path: Path) -> tuple[list[Child], Child]:
    """A writer for each of some sessions, and a reader of all, at work."""
    writers = [stack.enter_context(child(writing.count_up, path, key)) for key in KEYS]
    reader = stack.enter_context(child(writing.watch, path, frozenset(start_entries())))
    for one in [*writers, reader]:
        one.hear()
    return writers, reader


@pytest.mark.parametrize("guard", [False, True])
def test_writers_and_readers_lose_nothing_in_the_switch(store_file: Path, guard: bool) -> None:
    write_store(store_file, start_entries())
    with ExitStack() as stack:
        writers, reader = busy(stack, store_file)
        report = run(store_file, guard=guard)
        counted = stop(writers)
        looks, wrong = stop([reader])[0]
    assert wrong == []
    assert looks > 2
    assert report.outcome in ("migrated", "merged")
    found = loaded(store_file)
    assert {key: found[key]["n"] for key in KEYS} == dict(zip(KEYS, counted, strict=True))
    assert found.keys() == start_entries().keys()
    assert len(backups(store_file)) == 1
    assert leftovers(store_file) == []


def test_writers_lose_nothing_while_a_source_is_merged(store_file: Path) -> None:
    with open_store(store_file) as store:
        for key, entry in start_entries().items():
            store.put(key, entry)
    more = {f"agent:main:more-{number}": {"updatedAt": 1, "n": 1} for number in range(30)}
    with ExitStack() as stack:
        writers, reader = busy(stack, store_file)
        write_store(store_file, {**start_entries(), **more})
        report = run(store_file)
        counted = stop(writers)
        _, wrong = stop([reader])[0]
    assert wrong == []
    assert (report.outcome, report.taken) == ("merged", 30)
    found = loaded(store_file)
    assert {key: found[key]["n"] for key in KEYS} == dict(zip(KEYS, counted, strict=True))
    assert found.keys() == {*start_entries(), *more}


@pytest.mark.parametrize("guard", [False, True])
def test_writers_and_readers_lose_nothing_in_a_rollback(store_file: Path, guard: bool) -> None:
    write_store(store_file, start_entries())
    run(store_file, guard=guard)
    with ExitStack() as stack:
        maker = stack.enter_context(child(writing.make_more, store_file))
        reader = stack.enter_context(child(writing.watch, store_file, frozenset(start_entries())))
        for one in (maker, reader):
            one.hear()
        with open_store(store_file) as store:
            rollback(plan_rollback(store))
        made, (_, wrong) = stop([maker, reader])
    assert wrong == []
    found = loaded(store_file)
    new = {f"agent:main:new-{number}" for number in range(made)}
    assert found.keys() == {*start_entries(), *new}
    assert isinstance(json.loads(store_file.read_bytes()), dict)
    assert leftovers(store_file) == []


def test_sessions_changed_while_they_were_staged_are_staged_again(store_file: Path) -> None:
    write_store(store_file, start_entries())
    with open_store(store_file, gateway_lock_dir=store_file.parent) as writer:

        def progress(done: int, total: int, item: str) -> None:
            if done == total:
                writer.patch(KEYS[0], {"n": 7})
                writer.put("agent:main:late", {"n": 1})
                writer.delete(KEYS[1])

        report = run(store_file, progress=progress)
        assert report.restaged == 2
        found = writer.load()
        assert found[KEYS[0]]["n"] == 7
        assert found.keys() == {*start_entries(), "agent:main:late"} - {KEYS[1]}
        assert sound(writer)


def test_session_changed_while_a_rollback_is_staged_goes_back_as_it_is(store_file: Path) -> None:
    write_store(store_file, start_entries())
    run(store_file)
    with open_store(store_file, gateway_lock_dir=store_file.parent) as store:

        def progress(done: int, total: int, item: str) -> None:
            if done == total:
                store.patch(KEYS[0], {"n": 7})
                store.put("agent:main:late", {"n": 1})
                store.delete(KEYS[1])

        rollback(plan_rollback(store), progress=progress)
        assert store.layout == "legacy"
        found = store.load()
        assert found[KEYS[0]]["n"] == 7
        assert found.keys() == {*start_entries(), "agent:main:late"} - {KEYS[1]}


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("call", ["lstat", "open"])
def test_reader_between_two_looks_at_the_disk_finds_everything(
    store_file: Path, monkeypatch: pytest.MonkeyPatch, call: str, guard: bool
) -> None:
    """The whole switch happens after the reader saw no directory and before it sees the file."""
    write_store(store_file, start_entries())
    plan = plan_of(store_file, guard=guard)
    real = getattr(os, call)
    switched: list[Any] = []

    def late(path: Any, *args: Any, **kwargs: Any) -> Any:
        if not switched and str(path) == str(store_file):
            switched.append(None)
            switched.append(migrate(plan).outcome)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, call, late)
    assert loaded(store_file) == start_entries()
    assert switched[1:] == ["migrated"]


@pytest.mark.parametrize("guard", [False, True])
def test_a_process_that_looks_on_needs_no_restart(
    store_file: Path, tmp_path: Path, guard: bool
) -> None:
    """Load, get, index, problems, discover and held locks, through a migration and back."""
    state = tmp_path / "state"
    write_store(store_file, QUIET)
    with (
        child(writing.look_on, store_file, state) as other,
        open_store(store_file, gateway_lock_dir=state) as store,
    ):
        assert other.hear() == "ready"
        expected: dict[str, Any] = dict(QUIET)
        looks: list[dict[str, Any]] = []

        def look(entry: Any) -> None:
            other.say("look")
            looks.append(other.hear())

        for layout in ("legacy", "directory", "legacy"):
            store.update(KEYS[0], look)
            found = looks[-1]
            assert found.pop("load") == found.pop("get") == expected
            assert found.pop("index") == expected.keys()
            assert found.pop("layout") == (layout, layout)
            infos = {"guarded-store"} if guard and layout == "directory" else set()
            assert set(found.pop("problems")) == infos
            # A store of one file has one lock, which no session names.
            assert found.pop("locks") == ({None} if layout == "legacy" else {KEYS[0]})
            assert found == {"discover": [(store_file, None)]}
            if layout == "legacy" and len(looks) == 1:
                run(store_file, guard=guard)
            elif layout == "directory":
                rollback(plan_rollback(store))
            key = f"agent:main:late-{len(looks)}"
            expected[key] = store.put(key, {"sessionId": "s", "updatedAt": NOW})
        other.say("stop")
