"""Blobs that nothing refers to: told, planned, retired under a run, and brought back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sessionstore import (
    CorruptStoreError,
    MaintenancePlan,
    MaintenancePolicy,
    Store,
    blobswitch,
    maintain,
    open_store,
    take_back,
)
from sessionstore.blobs import collecting, finish, list_blobs
from sessionstore.blobswitch import collect_blobs, set_blobs
from sessionstore.maintenance import (
    apply_blobs,
    check,
    decode_plan,
    encode_plan,
    expire_runs,
    plan_maintenance,
    read_run,
    retired_by_runs,
)
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import entry, file_of
from tests.sessionstore.maintenance.tidying import DAY_S

A, B = "agent:main:a", "agent:main:b"
USED, LOOSE = "used " * 1000, "loose " * 1000
POLICY = MaintenancePolicy(leftover_retention_s=DAY_S)


@pytest.fixture
def store(store_file: Path) -> Iterator[Store]:
    """Two sessions; one blob is referred to, the other was, and both are two days old."""
    with open_store(store_file, timeout=2) as store:
        set_blobs(store, True)
        store.put(A, entry(big=LOOSE))
        store.put(B, entry(big=USED))
        store.patch(A, {"big": None})
        age(store, 2 * DAY_S)
        yield store


def age(store: Store, seconds: float) -> None:
    for path in (store.paths.sidecar / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - seconds,) * 2)


def places(store: Store) -> dict[str, str]:
    """The beginning of each blob, and where it is."""
    root = store.paths.sidecar / "blobs"
    return {
        path.read_text()[1:5]: "retired" if path.parent.name == "retired" else "kept"
        for path in root.rglob("*")
        if path.is_file()
    }


def run(store: Store, plan: MaintenancePlan, **options: float) -> tuple[str, str, str]:
    """The run's id, what became of the only item, and what was said."""
    report = maintain(plan, timeout=1, **options)  # type: ignore[arg-type]
    [result] = report.results
    return report.run_id, result.outcome, result.message


def test_check_tells_the_bytes_that_nothing_refers_to(store: Store) -> None:
    [found] = check(store, rules=["unnamed-blob"])
    assert (found.severity, found.confidence) == ("info", "certain")
    assert found.size_bytes == len(LOOSE) + 2
    assert "1 blob of" in found.message


def test_check_says_when_it_cannot_tell(store: Store) -> None:
    with injected("open", 13, when=lambda path, *_, **__: str(path).endswith(".json")):
        [found] = check(store, rules=["unnamed-blob"])
        assert plan_maintenance(store, POLICY).acting == ()
    assert found.confidence == "possible" and "cannot be told" in found.message


def test_plan_has_the_unnamed_blob_with_its_bytes(store: Store) -> None:
    plan = plan_maintenance(store, POLICY)
    [item] = plan.acting
    assert (item.kind, item.action, item.rule) == ("value", "delete", "unnamed-blob")
    assert (item.size_bytes, item.frees_bytes) == (len(LOOSE) + 2, 0)
    assert (store.path.parent / (item.path or "")).read_text() == f'"{LOOSE}"'
    assert decode_plan(store.paths, encode_plan(plan)) == plan
    assert set(places(store).values()) == {"kept"}


def test_younger_blob_and_policy_without_the_retention_plan_nothing(store: Store) -> None:
    assert plan_maintenance(store, replace(POLICY, leftover_retention_s=3 * DAY_S)).items == ()
    assert plan_maintenance(store, MaintenancePolicy(max_entries=9)).items == ()
    age(store, 60)
    assert plan_maintenance(store, MaintenancePolicy(leftover_retention_s=1)).items == ()


def test_store_without_a_session_keeps_its_blobs(store: Store) -> None:
    for path in (file_of(store, A), file_of(store, B)):
        path.unlink()
    items = plan_maintenance(store, POLICY).items
    assert [(one.action, "lost" in one.protected_by) for one in items] == [("keep", True)] * 2


def test_run_retires_and_taking_back_brings_it_into_place(store: Store) -> None:
    plan = plan_maintenance(store, POLICY)
    run_id, outcome, _ = run(store, plan)
    assert outcome == "done"
    assert places(store) == {"loos": "retired", "used": "kept"}
    assert check(store, rules=["unnamed-blob"]) == []
    assert take_back(store, run_id).outcomes == {"taken-back": 1}
    assert set(places(store).values()) == {"kept"}
    assert (store.get(B) or {})["big"] == USED


def test_blob_that_an_entry_took_up_since_the_plan_stays(store: Store) -> None:
    plan = plan_maintenance(store, POLICY)
    store.patch(A, {"big": LOOSE})
    _, outcome, said = run(store, plan)
    assert (outcome, said) == ("skipped", apply_blobs.MOVED)
    assert set(places(store).values()) == {"kept"}


def test_blob_that_a_file_put_back_by_hand_names_stays(store: Store) -> None:
    store.patch(A, {"big": LOOSE})
    path, kept = file_of(store, A), file_of(store, A).read_bytes()
    store.patch(A, {"big": None})
    age(store, 2 * DAY_S)
    plan = plan_maintenance(store, POLICY)
    path.write_bytes(kept)
    _, outcome, said = run(store, plan)
    assert (outcome, said) == ("skipped", apply_blobs.NAMED)
    assert set(places(store).values()) == {"kept"}


def test_entry_that_takes_it_up_between_look_and_retiring_wins(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_maintenance(store, POLICY)
    real = blobswitch.retire_blob

    def after_a_write(*arguments: object, **options: object) -> bool:
        store.patch(A, {"big": LOOSE})
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(blobswitch, "retire_blob", after_a_write)
    assert run(store, plan)[1:] == ("skipped", apply_blobs.MOVED)
    assert set(places(store).values()) == {"kept"}
    with open_store(store.path) as fresh:
        assert (fresh.get(A) or {})["big"] == LOOSE


def test_writer_in_the_middle_of_an_update_is_waited_for(store: Store) -> None:
    plan = plan_maintenance(store, POLICY)
    held, done = threading.Event(), threading.Event()

    def hold(old: object) -> None:
        held.set()
        done.wait(30)

    holder = threading.Thread(target=store.update, args=(A, hold))
    holder.start()
    try:
        assert held.wait(30)
        _, outcome, said = run(store, plan)
    finally:
        done.set()
        holder.join()
    assert outcome == "skipped" and "in use" in said
    assert set(places(store).values()) == {"kept"}


def test_blob_that_is_gone_is_told(store: Store) -> None:
    plan = plan_maintenance(store, POLICY)
    collect_blobs(store, older_than_s=0)
    age(store, 2 * DAY_S)
    assert finish(store.paths).removed == 1
    assert run(store, plan)[1:] == ("skipped", apply_blobs.GONE)


def test_run_that_was_stopped_after_retiring_goes_on_as_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_maintenance(store, POLICY)
    real = blobswitch.retire_blob

    def then_stop(*arguments: object, **options: object) -> bool:
        real(*arguments, **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(blobswitch, "retire_blob", then_stop)
        with pytest.raises(KeyboardInterrupt):
            maintain(plan)
    assert places(store)["loos"] == "retired"
    run_id, outcome, _ = run(store, plan)
    assert outcome == "done"
    assert take_back(store, run_id).outcomes == {"taken-back": 1}
    assert places(store)["loos"] == "kept"


def test_run_that_was_stopped_after_retiring_can_be_taken_back_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_maintenance(store, POLICY)
    real = blobswitch.retire_blob

    def then_stop(*arguments: object, **options: object) -> bool:
        real(*arguments, **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(blobswitch, "retire_blob", then_stop)
    with pytest.raises(KeyboardInterrupt):
        maintain(plan, run_id="r-1")
    assert take_back(store, "r-1").outcomes == {"taken-back": 1}
    assert places(store)["loos"] == "kept"


def test_what_a_run_retired_stays_until_its_date(store: Store) -> None:
    run_id, _, _ = run(store, plan_maintenance(store, POLICY), take_back_s=10 * DAY_S)
    age(store, 5 * DAY_S)
    held = retired_by_runs(store.paths)
    assert len(held) == 1
    assert finish(store.paths, keep=held) == collecting.Collected()
    assert collect_blobs(store, older_than_s=99 * DAY_S, keep=held) == collecting.Collected()
    assert places(store)["loos"] == "retired"
    expire_runs(store.paths, now_ms=read_run(store.paths, run_id).take_back_until_ms + 1)
    assert retired_by_runs(store.paths) == frozenset()
    assert finish(store.paths, keep=retired_by_runs(store.paths)).removed == 1
    assert places(store) == {"used": "kept"}


def test_taking_back_what_somebody_removed_says_so(store: Store) -> None:
    run_id, _, _ = run(store, plan_maintenance(store, POLICY))
    age(store, 2 * DAY_S)
    assert finish(store.paths).removed == 1
    [result] = take_back(store, run_id).results
    assert result.outcome == "done" and "gone" in result.message


def test_finishing_retires_nothing_and_removes_nothing_before_the_grace(store: Store) -> None:
    assert finish(store.paths, older_than_s=0) == collecting.Collected()
    collect_blobs(store, older_than_s=0)
    assert finish(store.paths) == collecting.Collected()
    assert places(store) == {"loos": "retired", "used": "kept"}


def test_finishing_puts_back_what_a_file_refers_to(store: Store) -> None:
    store.patch(A, {"big": LOOSE})
    path, kept = file_of(store, A), file_of(store, A).read_bytes()
    store.patch(A, {"big": None})
    collect_blobs(store, older_than_s=0)
    path.write_bytes(kept)
    age(store, 2 * DAY_S)
    assert finish(store.paths).put_back == 1
    assert set(places(store).values()) == {"kept"}


def test_finishing_drops_the_retired_copy_of_one_that_was_written_anew(store: Store) -> None:
    collect_blobs(store, older_than_s=0)
    with open_store(store.path) as fresh:
        fresh.patch(A, {"big": LOOSE})
    assert len(list_blobs(store.paths)) == 3
    age(store, 2 * DAY_S)
    assert finish(store.paths).put_back == 0
    assert [one.is_retired for one in list_blobs(store.paths)] == [False, False]


def test_no_retired_blob_goes_while_the_record_of_a_run_is_damaged(store: Store) -> None:
    report = maintain(plan_maintenance(store, POLICY))
    (store.paths.sidecar / "maintenance" / report.run_id / "plan.json").write_text("{")
    with pytest.raises(CorruptStoreError, match="damaged"):
        retired_by_runs(store.paths)
