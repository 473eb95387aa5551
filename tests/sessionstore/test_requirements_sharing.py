"""Agents, processes and many callers of one store at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, open_store
from sessionstore.locks import open_locks
from tests.sessionstore.children import working
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import child, entry, in_processes, in_threads

A, B = "agent:main:a", "agent:main:b"
FAN_OUT = 192  # waits of 865 s are on record at this depth
Entry = dict[str, Any]


def test_fresh_process_reads_what_an_update_has_returned(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry()})
    store.update(A, lambda old: {**(old or {}), "a": 1})
    with child(working.tell, store.path, A) as reader:
        assert reader.hear() == store.get(A)
    assert (store.get(A) or {})["a"] == 1


def test_next_get_returns_what_another_process_has_just_written(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry()})
    with child(working.patch_on_demand, store.path, A) as writer:
        for number in range(50):
            writer.say({"n": number})
            assert writer.hear() == "written"
            assert (store.get(A) or {})["n"] == number
        writer.say(None)


def test_three_agents_of_one_store_keep_each_others_fields(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry()})
    agents = ("ada", "bob", "cyd")
    in_processes(working.run_agent, *[(store.path, agent, A, 100) for agent in agents])
    shared = store.get(A) or {}
    for agent in agents:
        own = store.get(f"agent:{agent}:main") or {}
        assert (own["lastTo"], own["runs"]) == (agent, 100)
        assert (shared[f"{agent}Run"], shared[f"{agent}To"]) == (100, f"{agent}-100")


def count(old: Entry | None) -> Entry:
    return {**(old or {}), "n": (old or {}).get("n", 0) + 1}


def test_fan_out_to_as_many_sessions_takes_seconds(store_file: Path) -> None:
    with open_store(store_file, timeout=60) as store:
        began = time.monotonic()
        in_threads(FAN_OUT, lambda number: store.update(f"agent:main:{number}", count))
        assert time.monotonic() - began < 20  # 2 s where the machine is not shared
        assert [found["n"] for found in store.load().values()] == [1] * FAN_OUT


def test_fan_out_to_one_session_takes_seconds(store_file: Path) -> None:
    with open_store(store_file, timeout=60) as store:
        began = time.monotonic()
        in_threads(FAN_OUT, lambda number: store.update(A, count))
        assert time.monotonic() - began < 20  # 5 s where the machine is not shared
        assert (store.get(A) or {})["n"] == FAN_OUT


def test_fan_out_to_one_session_is_served_in_order(store_file: Path) -> None:
    order: list[int] = []
    threads = []
    with open_store(store_file, timeout=60) as store:

        def note(number: int) -> None:
            def fn(old: Entry | None) -> Entry:
                order.append(number)
                return count(old)

            store.update(A, fn)

        def line_up(old: Entry | None) -> Entry:
            for number in range(FAN_OUT):
                threads.append(threading.Thread(target=note, args=(number,)))
                threads[-1].start()
                time.sleep(0.005)  # until it stands in line
            return entry()

        store.update(A, line_up)
        for thread in threads:
            thread.join(60)
    assert sorted(order) == list(range(FAN_OUT))
    assert max(abs(place - number) for place, number in enumerate(order)) <= 1


def test_nobody_in_a_crowd_of_threads_waits_long_for_one_lock(tmp_path: Path) -> None:
    holds: list[float] = []
    waits: list[float] = []
    locks = open_locks(tmp_path / "sidecar")

    def cycle(_: int) -> None:
        for _ in range(32):
            asked = time.perf_counter()
            with locks.key(A, "update", 60.0):
                got = time.perf_counter()
                waits.append(got - asked)
                time.sleep(0.0005)
                holds.append(time.perf_counter() - got)

    try:
        in_threads(32, cycle)
    finally:
        locks.close()
    assert len(waits) == 32 * 32
    # Each waits for the 31 others once. The bound is generous, since the machine is shared.
    assert max(waits) < 10 * (32 * sum(holds) / len(holds) + 0.05)


@pytest.mark.parametrize("timeout", [0, 0.2])
def test_session_that_is_not_held_is_free_at_once(store: Store, timeout: float) -> None:
    with child(working.hold, store.path, A) as holder:
        holder.hear()
        assert store.patch(B, {"n": 1}, timeout=timeout) is not None
        with pytest.raises(TimeoutError):
            store.patch(A, {"n": 1}, timeout=timeout)
