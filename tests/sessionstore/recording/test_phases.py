"""Time shows up in the phase in which it passed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sessionstore import open_store
from sessionstore.metrics import HOLD, PHASES, WAIT, WRITE, Group
from tests.sessionstore.children import working
from tests.sessionstore.helpers import child, entry, run_async, write_legacy
from tests.sessionstore.recording.reports import group, total

A = "agent:main:a"
SLOW_S = 0.15
SLOW_NS = int(SLOW_S * 1e9)


def slow(patch: pytest.MonkeyPatch, call: str) -> None:
    """Let one call of the system take long, in this thread."""
    real, thread = getattr(os, call), threading.get_ident()

    def slowly(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == thread:
            time.sleep(SLOW_S)
        return real(*args, **kwargs)

    patch.setattr(os, call, slowly)


def only(found: Group, *slow_phases: str) -> None:
    """Assert that these phases took long, and no other did."""
    for phase in PHASES:
        histogram = found.series.get(phase)
        took = histogram.maximum if histogram else 0
        assert (took >= SLOW_NS) == (phase in slow_phases), (phase, took)


@pytest.mark.parametrize(
    ("call", "phase", "durability"),
    [
        ("read", "read", "none"),
        ("write", "write", "none"),
        ("rename", "rename", "none"),
        ("fdatasync", "sync", "relaxed"),
        ("fsync", "sync", "strict"),
    ],
)
def test_slow_call_shows_in_its_phase(
    store_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    phase: str,
    durability: Any,
) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        with monkeypatch.context() as patch:
            slow(patch, call)
            store.patch(A, {"n": 1}, durability=durability)
    found = group(store_file, "patch")
    only(found, phase)
    assert found.series[HOLD].total >= SLOW_NS
    assert (found.series[WRITE].total >= SLOW_NS) == (phase != "read")
    assert found.series[WAIT].total < SLOW_NS


def test_slow_function_shows_as_merging(store_file: Path) -> None:
    def think(old: Any) -> Any:
        time.sleep(SLOW_S)
        return {**old, "n": 1}

    with open_store(store_file) as store:
        store.put(A, entry())
        store.update(A, think)
    only(group(store_file, "update"), "merge")


def test_large_entry_shows_as_serialising(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        store.update(A, lambda old: {**(old or {}), "log": [list(range(50))] * 5_000})
    found = group(store_file, "update").series
    assert found["serialise"].total > found["read"].total + found["rename"].total


def test_lock_of_another_process_shows_as_lock(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        with child(working.hold, store_file, A) as holder:
            holder.hear()
            timer = threading.Timer(SLOW_S * 2, holder.say, ["go"])
            timer.start()
            store.patch(A, {"n": 1})
            timer.join()
    found = group(store_file, "patch")
    only(found, "lock")
    assert found.contended == 1
    hot = total(store_file).sessions[0]
    assert (hot.key, hot.contended) == (A, 1)
    assert hot.wait_ns == found.series[WAIT].total >= SLOW_NS


def test_lock_of_another_thread_shows_as_queueing(store_file: Path) -> None:
    begun = threading.Event()

    def think(old: Any) -> Any:
        begun.set()
        time.sleep(SLOW_S * 2)
        return {**(old or {}), "n": 1}

    with open_store(store_file) as store:
        store.put(A, entry())
        thread = threading.Thread(target=store.update, args=(A, think))
        thread.start()
        begun.wait()
        store.patch(A, {"m": 1})
        thread.join()
    only(group(store_file, "patch"), "queue")


def test_line_of_the_event_loop_shows_as_queueing(store_file: Path) -> None:
    import asyncio

    from sessionstore import aio

    def think(old: Any) -> Any:
        time.sleep(SLOW_S * 8)  # also where the loop itself is late
        return {**(old or {}), "n": 1}

    async def main() -> None:
        async with aio.open_store(store_file) as store:
            await store.put(A, entry())
            first = asyncio.create_task(store.update(A, think))
            await asyncio.sleep(0.05)
            await asyncio.gather(first, store.patch(A, {"m": 1}))

    run_async(main())
    found = group(store_file, "patch")
    only(found, "queue")
    assert found.contended == 1


def test_lock_file_of_another_program_shows_as_lock(store_file: Path, tmp_path: Path) -> None:
    write_legacy(store_file, {A: entry()})
    lock = store_file.with_name("sessions.json.lock")
    lock.write_text(f'{{"pid": {os.getpid()}, "startedAt": {int(time.time() * 1000)}}}')
    timer = threading.Timer(SLOW_S * 2, lock.unlink)
    timer.start()
    with open_store(store_file, gateway_lock_dir=tmp_path) as store:
        store.patch(A, {"n": 1})
    timer.join()
    found = group(store_file, "patch", scope="store", layout="legacy")
    only(found, "lock")
    assert found.series[WAIT].total >= SLOW_NS


def test_slow_sync_of_a_legacy_store_shows(
    store_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_legacy(store_file, {A: entry()})
    with (
        open_store(store_file, gateway_lock_dir=tmp_path) as store,
        monkeypatch.context() as patch,
    ):
        slow(patch, "fdatasync")
        store.patch(A, {"n": 1})
    only(group(store_file, "patch", scope="store", layout="legacy"), "sync")


def test_whole_store_that_is_held_is_reported(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        with store._backing.locks.exclusive("restore", 5.0):
            time.sleep(SLOW_S)
    found = group(store_file, "restore", "held", scope="store", layout="")
    assert found.series[HOLD].total >= SLOW_NS
    assert found.count == 1
