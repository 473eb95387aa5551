"""What is special about the asyncio twin; its calls run in the contract suite."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from sessionstore import LockTimeoutError, aio, open_store
from tests.sessionstore.children import working
from tests.sessionstore.helpers import child, entry, run_async

Entry = dict[str, Any]
A = "agent:main:a"


def test_concurrent_updates_of_one_key_lose_nothing(store_file: Path) -> None:
    async def main() -> None:
        async with aio.open_store(store_file, timeout=60) as store:

            def add(old: Entry | None) -> Entry:
                return {"n": (old or {"n": 0})["n"] + 1}

            await asyncio.gather(*(store.update(A, add) for _ in range(200)))
            assert (await store.get(A) or {})["n"] == 200

    run_async(main())


def test_hundred_awaiting_callers_make_one_session(store_file: Path) -> None:
    calls: list[int] = []

    def factory() -> Entry:
        calls.append(1)
        return entry()

    async def main() -> None:
        async with aio.open_store(store_file, timeout=60) as store:
            found = await asyncio.gather(*(store.get_or_create(A, factory) for _ in range(100)))
            assert all(each == found[0] for each in found)

    run_async(main())
    assert len(calls) == 1


def test_event_loop_runs_on_while_a_lock_is_awaited(store_file: Path) -> None:
    async def main(holder: Any) -> None:
        async with aio.open_store(store_file) as store:
            waiting = asyncio.create_task(store.patch(A, {"label": "x"}, timeout=20))
            longest, begun = 0.0, time.monotonic()
            while time.monotonic() - begun < 0.4:
                tick = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - tick)
            assert not waiting.done()
            assert longest < 0.35  # of 0.4 s: it was never blocked
            await store.put("agent:main:other", entry())
            holder.say("go")
            assert (await waiting or {})["label"] == "x"

    with child(working.hold, store_file, A) as holder:
        holder.hear()
        run_async(main(holder))


def test_timeout_reaches_the_awaiting_caller(store_file: Path) -> None:
    async def main() -> None:
        async with aio.open_store(store_file, timeout=0.2) as store:
            with pytest.raises(LockTimeoutError):
                await store.patch(A, {"label": "x"})

    with child(working.hold, store_file, A) as holder:
        holder.hear()
        run_async(main())


def test_cancelled_write_is_whole_and_frees_its_lock(store_file: Path) -> None:
    def slow(old: Entry | None) -> Entry:
        time.sleep(0.2)
        return entry(label="whole")

    async def main() -> None:
        async with aio.open_store(store_file) as store:
            task = asyncio.create_task(store.update(A, slow))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await store.patch(A, {"n": 1}, timeout=5)

    run_async(main())
    with open_store(store_file) as store:
        assert {"label": "whole", "n": 1}.items() <= (store.get(A) or {}).items()


def test_store_can_be_opened_before_there_is_a_loop(store_file: Path) -> None:
    store = aio.open_store(store_file)
    assert (store.path, store.agent_id) == (store_file, "main")

    async def main() -> None:
        await store.put(A, entry())
        assert await store.layout() == "directory"
        assert await store.held_locks() == []
        await store.close()

    run_async(main())
    assert list((store.blocking.paths.sidecar / "tmp").iterdir()) == []


def test_error_of_a_function_reaches_the_awaiting_caller(store_file: Path) -> None:
    def fail(old: Entry | None) -> Entry:
        raise ZeroDivisionError

    async def main() -> None:
        async with aio.open_store(store_file) as store:
            with pytest.raises(ZeroDivisionError):
                await store.update(A, fail)
            await store.put(A, entry(), timeout=2)

    run_async(main())
