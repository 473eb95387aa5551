"""What a restore would do is told before it is done, and all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessionstore import EntryNotFoundError, Store, open_store
from sessionstore.backup import Backup, create_backup, plan_restore
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import entry, file_of, picture

A, B, C, ODD = "agent:main:a", "agent:main:b", "agent:main:c", ".odd"
OLD = {A: entry(label="a", n=1), B: entry(label="b"), ODD: entry(label="odd")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def backed_up(make_blocking: MakeStore, root: Path) -> tuple[Store, Backup]:
    """A store that changed since its backup: one changed, one gone, one new, one as it was."""
    store = make_blocking(OLD)
    backup = create_backup(store, root=root, reason="test")
    store.patch(A, {"label": "newer", "extra": True})
    store.delete(B)
    store.put(C, entry(label="c"))
    return store, backup


def test_plan_sorts_every_session(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store)
    assert plan.whole_store
    assert (plan.unchanged, plan.changed) == ((ODD,), (A,))
    assert (plan.created, plan.removed, plan.unusable) == ((B,), (C,), ())


def test_plan_gives_both_entries_of_each_difference(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store)
    assert (plan.before[A]["label"], plan.after[A]) == ("newer", OLD[A])
    assert plan.after[B] == OLD[B]
    assert plan.before[C]["label"] == "c"
    assert plan.before.keys() == {A, C}
    assert plan.after.keys() == {A, B}


def test_plan_changes_nothing_on_disk(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    before = picture(store.path.parent, backup.path.parent)
    plan_restore(backup, store)
    after = picture(store.path.parent, backup.path.parent)
    assert {name: seen[:3] for name, seen in after.items() if "live" not in name} == {
        name: seen[:3] for name, seen in before.items() if "live" not in name
    }


def test_plan_of_a_selection_names_only_that(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store, keys=[A, f" {ODD.upper()} "])
    assert not plan.whole_store
    assert (plan.changed, plan.unchanged) == ((A,), (ODD,))
    assert (plan.created, plan.removed) == ((), ())


def test_plan_of_fields_leaves_all_other_fields(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store, keys=[A], fields=["label"])
    assert plan.changed == (A,)
    assert plan.after[A] == {**plan.before[A], "label": "a"}


def test_plan_of_fields_removes_one_that_was_not_there(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store, keys=[A], fields=["extra"])
    assert "extra" in plan.before[A]
    assert "extra" not in plan.after[A]


def test_plan_of_equal_fields_changes_nothing(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store, keys=[A], fields=["n", "sessionId"])
    assert (plan.changed, plan.unchanged) == ((), (A,))


@pytest.mark.parametrize("keys", [None, [A, B], []])
def test_fields_of_other_than_one_session_are_refused(
    backed_up: tuple[Store, Backup], keys: list[str] | None
) -> None:
    store, backup = backed_up
    with pytest.raises(ValueError, match="exactly one session"):
        plan_restore(backup, store, keys=keys, fields=["label"])


def test_fields_of_a_session_that_is_gone_are_refused(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    with pytest.raises(EntryNotFoundError) as caught:
        plan_restore(backup, store, keys=[B], fields=["label"])
    assert caught.value.key == B


def test_a_session_that_the_backup_does_not_hold_is_refused(
    backed_up: tuple[Store, Backup],
) -> None:
    store, backup = backed_up
    with pytest.raises(EntryNotFoundError) as caught:
        plan_restore(backup, store, keys=[A, C])
    assert caught.value.key == C


def test_a_backup_of_a_selection_never_removes_what_is_outside_it(
    make_blocking: MakeStore, root: Path
) -> None:
    store = make_blocking(OLD)
    backup = create_backup(store, root=root, reason="test", keys=[A])
    store.patch(A, {"label": "newer"})
    plan = plan_restore(backup, store)
    assert not plan.whole_store
    assert (plan.changed, plan.removed, plan.unchanged) == ((A,), (), ())


def test_a_damaged_session_would_be_changed(store: Store, root: Path) -> None:
    store.save(OLD)
    backup = create_backup(store, root=root, reason="test")
    file_of(store, A).write_bytes(b"{")
    plan = plan_restore(backup, store)
    assert plan.changed == (A,)
    assert A not in plan.before
    assert plan.after[A] == OLD[A]


def test_what_was_damaged_in_the_backup_is_unusable_and_stays(store: Store, root: Path) -> None:
    store.save(OLD)
    file_of(store, A).write_bytes(b"{")
    backup = create_backup(store, root=root, reason="test")
    store.put(A, OLD[A])
    plan = plan_restore(backup, store)
    assert plan.unusable == (A,)
    assert plan.removed == ()
    assert [one.key for one in plan.findings if one.rule == "damaged-backup"] == [A]


def test_a_damaged_store_file_counts_as_empty(legacy_store: MakeStore, root: Path) -> None:
    store = legacy_store(OLD)
    backup = create_backup(store, root=root, reason="test")
    store.path.write_bytes(b"")
    assert plan_restore(backup, store).created == tuple(sorted(OLD))


def test_a_missing_store_is_created(store: Store, root: Path, tmp_path: Path) -> None:
    store.save(OLD)
    backup = create_backup(store, root=root, reason="test")
    with open_store(tmp_path / "other" / "sessions.json") as other:
        plan = plan_restore(backup, other)
    assert plan.created == tuple(sorted(OLD))
    assert plan.free_bytes > 0


def test_plan_says_that_the_outside_world_does_not_go_back(
    backed_up: tuple[Store, Backup],
) -> None:
    store, backup = backed_up
    first = plan_restore(backup, store).findings[0]
    assert first.rule == "outside-world"
    assert "stay sent" in first.message


def test_plan_without_a_difference_has_no_warning(store: Store, root: Path) -> None:
    store.save(OLD)
    plan = plan_restore(create_backup(store, root=root, reason="test"), store)
    assert plan.findings == ()
    assert plan.unchanged == tuple(sorted(OLD))


def test_plan_names_a_writer_that_holds_a_session(store: Store, root: Path) -> None:
    store.save(OLD)
    backup = create_backup(store, root=root, reason="test")
    seen: list[Any] = []

    def look(now: dict[str, Any] | None) -> None:
        seen.append(plan_restore(backup, store).findings)

    with open_store(store.path) as other:
        other.update(A, look)
    assert [(one.rule, one.key) for one in seen[0]] == [("writer-seen", A)]


def test_digest_covers_what_the_plan_decides(backed_up: tuple[Store, Backup]) -> None:
    store, backup = backed_up
    first = plan_restore(backup, store)
    assert plan_restore(backup, store).digest == first.digest
    assert plan_restore(backup, store, keys=[A]).digest != first.digest
    store.patch(A, {"label": "once more"})
    assert plan_restore(backup, store).digest != first.digest
