"""An operator's change that is killed at any step: done or not done, and told rightly."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, Version, edits_between, undo, versions
from sessionstore.entries import equal
from sessionstore.transcripts import take_back
from tests.sessionstore.children import keeping
from tests.sessionstore.children.crashing import A, B
from tests.sessionstore.conftest import Kind, fill
from tests.sessionstore.helpers import entry, processes, sound, temporary_files

Entry = dict[str, Any]
CREATED = "agent:main:new"
OLD = {A: entry(label="old a", sessionId="s-a", totalTokens=5, text="x" * 2000), B: entry()}
TEXT = '{"type":"session"}\n'
KINDS: tuple[Kind, ...] = ("directory", "legacy")


@pytest.fixture
def template(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker: (kind, operations to do first) -> the folder of a store with a transcript."""

    def make(kind: Kind, *first: str) -> Path:
        folder = tmp_path / "template"
        fill(kind, folder / "sessions.json", OLD)
        (folder / "s-a.jsonl").write_text(TEXT)
        with keeping.opened(folder / "sessions.json") as store:
            for operation in first:
                keeping.OPERATIONS[operation](store)
        return folder

    return make


def killed_copies(
    folder: Path, tmp_path: Path, operation: str, *, warm: str | None = None
) -> Iterator[Store]:
    """The store after a child was killed at its next step of the operation; the last one's
    child came to the end."""
    for step in itertools.count(1):
        copy = tmp_path / f"step-{step}"
        shutil.copytree(folder, copy, symlinks=True)
        arguments = (copy / "sessions.json", operation, step, warm)
        child = processes.Process(target=keeping.run_killed, args=arguments)
        child.start()
        child.join(30)
        assert child.exitcode in (0, -signal.SIGKILL), f"step {step}: {child.exitcode}"
        with keeping.opened(copy / "sessions.json") as store:
            yield store
        shutil.rmtree(copy)
        if child.exitcode == 0:
            assert step > 20, "no step was counted"
            return


def is_changed(store: Store, old: Entry | None) -> bool:
    """Whether the entry is another one than before; it must be one or the other, whole."""
    now = store.get(A)
    if old is None or now is None:
        return old is not now
    return not equal(now, old)


def transcripts(store: Store) -> list[str]:
    """The names that the transcript has."""
    return sorted(path.name for path in store.path.parent.glob("s-a.jsonl*"))


def check_aftermath(store: Store) -> None:
    """The next writer finds nothing in its way and leaves nothing of the dead one."""
    store.patch(B, {"label": "after"}, timeout=3)
    assert temporary_files(store) == []
    assert sound(store)


def newer(store: Store, before: list[str]) -> list[Version]:
    """The versions that were not there before the operation."""
    return [version for version in versions(store, A) if version.id not in before]


@pytest.mark.parametrize(
    ("kind", "operation"),
    [(kind, "edit") for kind in ("directory", "legacy", "adopted")]
    + [("directory", "edit_strictly")],
)
def test_killed_edit_is_done_with_its_version_or_not_done(
    template: Callable[..., Path], tmp_path: Path, kind: Kind, operation: str
) -> None:
    seen = set()
    for store in killed_copies(template(kind), tmp_path, operation):
        changed = is_changed(store, OLD[A])
        seen.add(changed)
        if changed:
            assert store.get(A) == {**OLD[A], "label": "new", "extra": {"n": [1]}}
            (version,) = versions(store, A)
            assert version.entry == OLD[A]
            assert undo(store, version.id) == OLD[A]
        else:
            assert versions(store, A) == []
            keeping.edit(store)
            assert [version.entry for version in versions(store, A)] == [OLD[A]]
        check_aftermath(store)
    assert seen == {True, False}


@pytest.mark.parametrize("kind", KINDS)
def test_killed_edit_is_told_rightly_after_writers_went_on(
    template: Callable[..., Path], tmp_path: Path, kind: Kind
) -> None:
    for store in killed_copies(template(kind), tmp_path, "edit", warm=B):
        changed = is_changed(store, OLD[A])
        store.patch(A, {"totalTokens": 77})
        assert len(versions(store, A)) == changed
        keeping.OPERATIONS["edit"](store)  # again: nothing to do where it was done
        (version,) = versions(store, A)
        assert version.entry is not None
        assert version.entry["label"] == "old a"
        undo(store, version.id)
        assert (store.get(A) or {}) | {"updatedAt": 0} == OLD[A] | {
            "totalTokens": 77,
            "updatedAt": 0,
        }


@pytest.mark.parametrize("kind", KINDS)
def test_killed_creation_is_done_with_its_version_or_not_done(
    template: Callable[..., Path], tmp_path: Path, kind: Kind
) -> None:
    for store in killed_copies(template(kind), tmp_path, "create"):
        found = versions(store, CREATED)
        if store.get(CREATED) is None:
            assert found == []
            continue
        (version,) = found
        assert version.entry is None
        undo(store, version.id)
        assert store.get(CREATED) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", ["delete", "reset"])
def test_killed_ending_leaves_the_transcript_under_one_of_its_names(
    template: Callable[..., Path], tmp_path: Path, kind: Kind, operation: str
) -> None:
    seen = set()
    for store in killed_copies(template(kind), tmp_path, operation, warm=B):
        changed = is_changed(store, OLD[A])
        (name,) = transcripts(store)
        seen.add((changed, name))
        found = versions(store, A)
        if not changed:
            assert (name, found) == ("s-a.jsonl", [])
            keeping.OPERATIONS[operation](store)
            found = versions(store, A)
            assert transcripts(store) != ["s-a.jsonl"]
        (version,) = found
        assert version.entry == OLD[A]
        undo(store, version.id)
        take_back(store.paths, *version.note["transcript"])
        assert transcripts(store) == ["s-a.jsonl"]
        assert {edit.name for edit in edits_between(OLD[A], store.get(A))} <= {"updatedAt"}
        check_aftermath(store)
    assert {changed for changed, _ in seen} == {True, False}
    assert len({name for _, name in seen}) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["edit", "delete", "reset"])
def test_killed_undo_is_done_with_its_version_or_not_done(
    template: Callable[..., Path], tmp_path: Path, kind: Kind, first: str
) -> None:
    folder = template(kind, first)
    with keeping.opened(folder / "sessions.json") as store:
        after, before = store.get(A), [version.id for version in versions(store, A)]
    seen = set()
    for store in killed_copies(folder, tmp_path, "undo_newest", warm=B):
        undone = is_changed(store, after)
        seen.add(undone)
        (name,) = transcripts(store)
        assert name == "s-a.jsonl" or first != "edit"
        assert undone or newer(store, before) == []
        if undone:
            (version,) = newer(store, before)
            if version.entry is None or after is None:
                assert version.entry is after
            else:
                assert equal(version.entry, after)
        change = next(version for version in versions(store, A) if version.id in before)
        undo(store, change.id)
        if "transcript" in change.note:
            take_back(store.paths, *change.note["transcript"])
        assert transcripts(store) == ["s-a.jsonl"]
        assert {edit.name for edit in edits_between(OLD[A], store.get(A))} <= {"updatedAt"}
        assert len(newer(store, before)) == 1
        check_aftermath(store)
    assert seen == {True, False}


def test_a_begun_version_whose_change_was_made_is_listed_like_any(store: Store) -> None:
    store.put(A, OLD[A])
    keeping.edit(store)
    begin_again(store)
    (version,) = versions(store, A)
    assert version.begun
    store.patch(A, {"label": "theirs"})
    assert versions(store, A) == [version]
    store.delete(A)
    assert versions(store, A) == [version]


def test_begun_versions_count_and_are_swept_like_any(store: Store) -> None:
    store.put(A, OLD[A])
    for _ in range(4):
        keeping.edit(store)
        begin_again(store)
        store.put(A, OLD[A])
    assert versions(store, A) == []
    keeping.edit_in_turn(store.path, A, "mine", 2, 3)
    files = list((store.paths.sidecar / "versions").glob("*/*"))
    assert len(files) == 3
    assert len(versions(store, A)) == 2


def begin_again(store: Store) -> None:
    """Give every version the name that it has while its change is under way."""
    for path in (store.paths.sidecar / "versions").glob("*/*[0-9a-f].json"):
        path.rename(path.with_suffix(".begun.json"))
