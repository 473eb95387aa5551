"""Every writer reports what its updates cost, unless it is told not to."""

from __future__ import annotations

import copy
import stat
import tarfile
import threading
from pathlib import Path

import pytest

from sessionstore import (
    ConflictError,
    EntryNotFoundError,
    LockTimeoutError,
    aio,
    create_backup,
    migrate,
    open_store,
    plan_migration,
    verify_backup,
)
from sessionstore.metrics import CHANGED, HOLD, PHASES, WAIT, WRITE, WRITTEN
from tests.sessionstore.children import working
from tests.sessionstore.helpers import child, entry, in_threads, run_async, write_legacy
from tests.sessionstore.recording.reports import (
    counts,
    files_of,
    folder_of,
    group,
    total,
    windows,
)

A, B = "agent:main:a", "agent:main:b"


def test_updates_are_reported_by_operation_and_outcome(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        store.patch(A, {"n": 1})
        store.patch(A, {"n": 2})
        store.patch(A, {"n": 2})
        store.update(A, lambda old: {**(old or {}), "n": 3})
        store.get_or_create(B, entry)
        store.delete(B)
        with pytest.raises(EntryNotFoundError):
            store.patch(B, {"n": 1}, create=False)
    assert counts(store_file) == {
        ("adopt", "held"): 1,
        ("put", "written"): 1,
        ("patch", "written"): 2,
        ("patch", "unchanged"): 1,
        ("update", "written"): 1,
        ("create", "written"): 1,
        ("delete", "removed"): 1,
        ("patch", "failed"): 1,
    }


def test_one_argument_turns_it_off(store_file: Path) -> None:
    with open_store(store_file, report=False) as store:
        store.put(A, entry())
        store.update_all(lambda every: every[A].update(n=1))
    assert not folder_of(store_file).exists()


def test_one_argument_turns_it_off_on_an_event_loop(store_file: Path) -> None:
    async def main() -> None:
        async with aio.open_store(store_file, report=False) as store:
            await store.put(A, entry())

    run_async(main())
    assert not folder_of(store_file).exists()


def test_recorder_takes_the_place_of_the_reports(store_file: Path) -> None:
    heard = []

    class Listener:
        def record(self, operation: str, outcome: str, *rest: object) -> None:
            heard.append((operation, outcome))

    with open_store(store_file, recorder=Listener()) as store:
        store.put(A, entry())
    assert heard == [("put", "written")]
    assert not folder_of(store_file).exists()


def test_reading_creates_nothing(store_file: Path) -> None:
    write_legacy(store_file, {A: entry()})
    with open_store(store_file) as store:
        assert store.get(A) == entry()
        assert store.keys() == [A]
    assert not (store_file.parent / ".sessionstore").exists()


def test_reads_of_a_writer_are_timed(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        for _ in range(5):
            store.get(A)
        store.get(B)
        for _ in range(2):
            assert store.keys() == [A]
        assert list(store.load()) == [A]
    reads = total(store_file).reads
    assert {name: read.count for name, read in reads.items()} == {"get": 6, "keys": 2, "load": 1}
    assert all(0 < read.maximum < 60e9 for read in reads.values())


def test_files_are_for_their_owner_alone(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
    assert stat.S_IMODE(folder_of(store_file).stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in files_of(store_file)] == [0o600]


def test_bytes_written_and_changed_of_a_patch(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry(text="x" * 1000))
        store.patch(A, {"label": "Ada", "status": None, "count": 17})
        size = (store.paths.directory / "agent%3Amain%3Aa.json").stat().st_size
    found = group(store_file, "patch").series
    assert found[WRITTEN].total == size
    assert found[CHANGED].total == len('"Ada"') + len("17")


def test_changed_bytes_of_a_new_entry_are_all(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry(text="x" * 1000))
    found = group(store_file, "put").series
    assert found[WRITTEN].total == found[CHANGED].total > 1000


def test_legacy_store_writes_all_for_one_row(store_file: Path, tmp_path: Path) -> None:
    write_legacy(store_file, {f"agent:main:{n}": entry(text="x" * 500) for n in range(40)})
    with open_store(store_file, gateway_lock_dir=tmp_path) as store:
        store.patch("agent:main:7", {"label": "Ada"})
    found = group(store_file, "patch", scope="store", layout="legacy")
    assert found.series[WRITTEN].total == store_file.stat().st_size > 20_000
    assert found.series[CHANGED].total == len('"Ada"')
    assert set(found.series) == {WAIT, HOLD, WRITE, WRITTEN, CHANGED, *PHASES}
    assert [one.key for one in total(store_file).sessions] == ["agent:main:7"]


def test_lock_of_a_dead_program_that_was_taken_over_is_counted(
    store_file: Path, tmp_path: Path
) -> None:
    write_legacy(store_file, {A: entry()})
    lock = store_file.with_name("sessions.json.lock")
    lock.write_text('{"pid": 4194304, "startedAt": 1}')
    with open_store(store_file, gateway_lock_dir=tmp_path) as store:
        store.patch(A, {"n": 1})
    assert total(store_file).counters == {"reclaims:owner_gone": 1}


def test_refused_conflict_is_an_outcome_and_a_counter(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        with pytest.raises(ConflictError):
            store.patch(A, {"n": 1}, if_match="0" * 32)
        store.tell_merged("edit")
    assert counts(store_file)["patch", "conflict"] == 1
    assert total(store_file).counters == {
        "conflicts:patch:refused": 1,
        "conflicts:edit:merged": 1,
    }


def test_conflict_that_the_store_settles_counts_as_retried(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry(n=0))
        seen: list[int] = []

        def mutate(every: dict[str, dict[str, object]]) -> None:
            if not seen:
                with open_store(store_file, report=False) as other:
                    other.patch(A, {"m": 1})
            seen.append(1)
            every[A]["n"] = 1

        store.update_all(mutate)
    assert total(store_file).counters == {"conflicts:update_all:retried": 1}
    assert counts(store_file)["update_all", "written"] == 1


def test_timeout_counts_as_at_least_its_limit(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        with child(working.hold, store_file, A) as holder:
            holder.hear()
            with pytest.raises(LockTimeoutError):
                store.patch(A, {"n": 1}, timeout=0.3)
    found = group(store_file, "patch", "timeout")
    assert found.contended == 1
    assert found.series[WAIT].total >= 300_000_000
    assert found.series[WAIT].total == found.series["queue"].total + found.series["lock"].total
    assert found.series[HOLD].total == 0
    assert total(store_file).sessions[0].wait_ns >= 300_000_000


def test_timeout_of_the_whole_store_is_reported(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        with child(working.hold, store_file, A) as holder:
            holder.hear()
            locks = store._backing.locks
            with pytest.raises(LockTimeoutError), locks.exclusive("restore", 0.2):
                pass
    found = group(store_file, "restore", "timeout", scope="store", layout="")
    assert found.series[WAIT].total >= 200_000_000


def test_call_that_never_had_its_turn_on_the_event_loop_is_reported(store_file: Path) -> None:
    async def main() -> None:
        async with aio.open_store(store_file) as store:
            await store.put(B, entry())
            with child(working.hold, store_file, A) as holder:
                holder.hear()
                first = store.patch(A, {"n": 1}, timeout=0.2)
                second = store.patch(A, {"n": 1}, timeout=0.2)
                for each in await _all(first, second):
                    assert isinstance(each, LockTimeoutError)

    async def _all(*calls: object) -> list[object]:
        import asyncio

        return await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[call-overload,no-any-return]

    run_async(main())
    found = group(store_file, "patch", "timeout")
    assert found.count == 2
    assert found.series[WAIT].total >= 2 * 200_000_000


def test_timeout_behind_another_call_counts_what_it_waited_in_line(store_file: Path) -> None:
    """It asks for the lock with what is left of its time, and counts with all of it."""
    with open_store(store_file) as store:
        store.put(B, entry())
        with child(working.hold, store_file, A) as holder:
            holder.hear()
            late = copy.copy(store)
            late.timeout, late.queued_ns = 0.05, 150_000_000
            with pytest.raises(LockTimeoutError):
                late.patch(A, {"n": 1})
    found = group(store_file, "patch", "timeout")
    assert found.series[WAIT].total >= 200_000_000
    assert found.series["queue"].total >= 150_000_000


def test_slowest_and_latest_updates_are_kept(store_file: Path) -> None:
    def slowly(old: dict[str, object] | None) -> dict[str, object]:
        threading.Event().wait(0.5)
        return {**(old or {}), "n": -1}

    with open_store(store_file) as store:
        store.update(A, slowly)
        for number in range(600):
            store.patch(B, {"n": number}, return_entry=False)
    kept = total(store_file).writes
    slowest = max(kept, key=lambda one: one.hold_ns)
    assert (slowest.key, slowest.operation, slowest.outcome) == (A, "update", "written")
    assert slowest.hold_ns >= 500_000_000
    assert len(kept) <= 48 * len(windows(store_file))
    assert [one.at_ms for one in kept] == sorted(one.at_ms for one in kept)
    assert {one.pid for one in kept} == {windows(store_file)[0].processes[0].pid}


def test_hot_sessions_are_named(store_file: Path) -> None:
    with open_store(store_file) as store:
        for number in range(300):
            store.patch(A, {"n": number}, return_entry=False)
            if number % 3 == 0:
                store.patch(B, {"n": number}, return_entry=False)
    found = {one.key: one for one in total(store_file).sessions}
    assert (found[A].count, found[B].count) == (300, 100)
    assert found[A].over_count == 0
    assert found[A].written_bytes > found[B].written_bytes > 0


def test_phases_of_many_updates_add_up_to_their_count(store_file: Path) -> None:
    with open_store(store_file) as store:
        for number in range(5_000):
            store.patch(A, {"n": number}, return_entry=False)
    found = group(store_file, "patch")
    assert found.count == found.series[HOLD].count == found.series[WRITE].count == 5_000
    for phase in PHASES:
        assert abs(found.series[phase].count - 5_000) <= 256 * len(windows(store_file)) * 2
    spent = sum(found.series[phase].total for phase in PHASES)
    assert spent == pytest.approx(found.series[WAIT].total + found.series[HOLD].total, rel=0.5)


def test_phases_of_few_updates_are_exact(store_file: Path) -> None:
    with open_store(store_file) as store:
        for number in range(100):
            store.update(A, lambda old, n=number: {**(old or {}), "n": n})  # type: ignore[misc]
    found = group(store_file, "update").series
    assert sum(found[phase].total for phase in PHASES) == found[WAIT].total + found[HOLD].total
    assert found[WRITE].total == sum(found[p].total for p in ("write", "sync", "rename"))


def test_threads_lose_no_update(store_file: Path) -> None:
    with open_store(store_file, timeout=60) as store:
        in_threads(8, lambda t: [store.patch(f"{A}:{t}", {"n": n}) for n in range(300)])
        in_threads(4, lambda t: [store.patch(A, {f"f{t}": n}) for n in range(50)])
    updates = [one for one in total(store_file).groups if one.labels.operation == "patch"]
    assert sum(one.count for one in updates) == 8 * 300 + 4 * 50


def test_backup_and_check_leave_reports_alone(store_file: Path, tmp_path: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        store.close()
        backup = create_backup(store, root=tmp_path / "backups", reason="manual")
        assert store.problems() == []
    with tarfile.open(backup.path) as archive:
        assert [name for name in archive.getnames() if "stats" in name or "windows" in name] == []
    assert verify_backup(backup).ok
    assert group(store_file, "backup", "held", scope="store", layout="").count == 1


def test_migration_is_reported_and_leaves_reports_alone(store_file: Path, tmp_path: Path) -> None:
    write_legacy(store_file, {A: entry()})
    with open_store(store_file, gateway_lock_dir=tmp_path) as store:
        store.patch(A, {"n": 1})
        report = migrate(plan_migration(store))
        assert report.outcome == "migrated"
        store.patch(A, {"n": 2})
    updates = {(one.labels.operation, one.labels.layout) for one in total(store_file).groups}
    assert {("patch", "legacy"), ("patch", "directory")} <= updates
    assert [one for one in updates if one[1] == ""]  # the switch held the whole store
