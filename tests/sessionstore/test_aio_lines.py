"""Callers on one event loop wait in line per session, and for no longer than they said."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import InvalidKeyError, LockTimeoutError, SessionStoreError, aio
from sessionstore.aio import AsyncStore
from tests.sessionstore.children import working
from tests.sessionstore.helpers import child, entry, run_async

Entry = dict[str, Any]
HOT, OTHER = "agent:main:hot", "agent:main:other"
CALLERS = 192  # the depth of the fan-out that is on record


def while_held(path: Path, work: Callable[[AsyncStore, Any], Any]) -> None:
    """Run a coroutine while another process holds the hot session."""

    async def main(holder: Any) -> None:
        async with aio.open_store(path, timeout=20) as store:
            await store.put(OTHER, entry(n=0))
            await work(store, holder)

    with child(working.hold, path, HOT) as holder:
        holder.hear()
        run_async(main(holder))


def test_callers_of_one_hot_session_stop_no_other_session_and_no_read(store_file: Path) -> None:
    async def work(store: AsyncStore, holder: Any) -> None:
        def count(old: Entry | None) -> Entry:
            return {**(old or {}), "n": (old or {}).get("n", 0) + 1}

        hot = [asyncio.create_task(store.update(HOT, count)) for _ in range(CALLERS)]
        await asyncio.sleep(0.2)  # all of them are in line
        async with asyncio.timeout(10):
            assert await store.get(OTHER) == entry(n=0)
            await store.update(OTHER, count)
            assert OTHER in await store.keys()
        assert not any(task.done() for task in hot)
        holder.say("go")
        await asyncio.gather(*hot)
        assert (await store.get(HOT) or {})["n"] == CALLERS

    while_held(store_file, work)


def test_one_session_takes_one_thread_at_most(store_file: Path) -> None:
    async def work(store: AsyncStore, holder: Any) -> None:
        before = threading.active_count()
        hot = [asyncio.create_task(store.patch(HOT, {"n": n})) for n in range(CALLERS)]
        await asyncio.sleep(0.2)
        assert threading.active_count() <= before + 2  # the store's own waiting helper is one
        holder.say("go")
        await asyncio.gather(*hot)

    while_held(store_file, work)


def test_callers_get_their_session_in_the_order_they_called(store_file: Path) -> None:
    order: list[int] = []

    async def main() -> None:
        async with aio.open_store(store_file, timeout=60) as store:

            def note(number: int) -> Callable[[Entry | None], Entry]:
                def fn(old: Entry | None) -> Entry:
                    order.append(number)
                    return entry(n=number)

                return fn

            spellings = (HOT, HOT.upper(), f" {HOT} ")  # one session, so one line
            await asyncio.gather(*(store.update(spellings[n % 3], note(n)) for n in range(CALLERS)))

    run_async(main())
    assert order == list(range(CALLERS))


def test_time_in_line_counts_against_the_timeout(store_file: Path) -> None:
    async def work(store: AsyncStore, holder: Any) -> None:
        first = asyncio.create_task(store.patch(HOT, {"n": 1}))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        with pytest.raises(LockTimeoutError) as caught:
            await store.patch(HOT.upper(), {"n": 2}, timeout=0.3)
        assert 0.2 < time.monotonic() - began < 5
        assert caught.value.key == HOT
        assert repr(HOT) in str(caught.value)
        assert caught.value.waited_s == pytest.approx(0.3, abs=0.05)
        assert not first.done()
        holder.say("go")
        assert (await first or {})["n"] == 1

    while_held(store_file, work)


def test_time_in_line_is_taken_off_the_wait_for_the_lock(store_file: Path) -> None:
    async def work(store: AsyncStore, holder: Any) -> None:
        def slow(old: Entry | None) -> Entry:
            time.sleep(0.4)
            return entry(n=(old or {})["n"] + 1)

        ahead = asyncio.create_task(store.update(OTHER, slow))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        with pytest.raises(LockTimeoutError):
            await store.update(OTHER, slow, timeout=0.6)
        assert time.monotonic() - began < 5
        await ahead
        assert (await store.get(OTHER) or {})["n"] == 1

    while_held(store_file, work)


@pytest.mark.parametrize("call", ["get_or_create", "delete", "reset", "update_last_route"])
def test_default_timeout_counts_from_the_call_for_every_change(store_file: Path, call: str) -> None:
    async def main(holder: Any) -> None:
        async with aio.open_store(store_file, timeout=0.6) as store:
            ahead = asyncio.create_task(store.patch(HOT, {"n": 1}))
            await asyncio.sleep(0.3)
            began = time.monotonic()
            arguments = [entry] if call == "get_or_create" else []
            with pytest.raises(LockTimeoutError):
                await getattr(store, call)(HOT, *arguments)
            assert time.monotonic() - began < 0.6 + 0.5  # were it not, 0.3 s in line and 0.6
            with pytest.raises(LockTimeoutError):
                await ahead

    with child(working.hold, store_file, HOT) as holder:
        holder.hear()
        run_async(main(holder))


def test_timeout_0_means_only_if_free_now(store_file: Path) -> None:
    async def work(store: AsyncStore, holder: Any) -> None:
        assert (await store.patch(OTHER, {"n": 1}, timeout=0) or {})["n"] == 1
        first = asyncio.create_task(store.patch(HOT, {"n": 1}))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            with pytest.raises(LockTimeoutError):
                await store.patch(HOT, {"n": 2}, timeout=0)
        holder.say("go")
        await first

    while_held(store_file, work)


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1", True])
def test_timeout_that_is_none_is_refused_before_the_line(store_file: Path, timeout: Any) -> None:
    async def main() -> None:
        async with aio.open_store(store_file) as store:
            with pytest.raises(ValueError, match="timeout"):
                await store.patch(HOT, {"n": 2}, timeout=timeout)
            with pytest.raises(InvalidKeyError):
                await store.patch(" ", {"n": 2})

    run_async(main())


def test_cancelled_caller_leaves_the_line_and_changes_nothing(store_file: Path) -> None:
    async def work(store: AsyncStore, holder: Any) -> None:
        first = asyncio.create_task(store.patch(HOT, {"first": 1}))
        second = asyncio.create_task(store.patch(HOT, {"second": 1}))
        third = asyncio.create_task(store.patch(HOT, {"third": 1}))
        await asyncio.sleep(0.05)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        holder.say("go")
        await asyncio.gather(first, third)
        found = await store.get(HOT) or {}
        assert {"first", "third"} <= found.keys()
        assert "second" not in found

    while_held(store_file, work)


def test_close_lets_the_whole_line_finish(store_file: Path) -> None:
    async def main() -> None:
        store = aio.open_store(store_file, timeout=60)
        await store.put(HOT, entry(n=0))

        def count(old: Entry | None) -> Entry:
            time.sleep(0.01)
            return {**(old or {}), "n": (old or {})["n"] + 1}

        tasks = [asyncio.create_task(store.update(HOT, count)) for _ in range(20)]
        await asyncio.sleep(0.02)
        await store.close()
        assert [(await task or {})["n"] for task in tasks] == list(range(1, 21))

    run_async(main())


def test_one_store_serves_loops_one_after_another(store_file: Path) -> None:
    store = aio.open_store(store_file, timeout=60)

    async def main() -> None:
        await asyncio.gather(*(store.patch(HOT, {str(n): n}) for n in range(30)))

    run_async(main())
    run_async(main())
    run_async(store.close())


def test_saves_that_wait_for_a_session_stop_no_look_and_no_update(store_file: Path) -> None:
    async def work(store: AsyncStore, holder: Any) -> None:
        saves = [asyncio.create_task(store.save({HOT: entry(n=n)})) for n in range(20)]
        await asyncio.sleep(0.2)
        async with asyncio.timeout(10):
            assert HOT in {held.key for held in await store.held_locks()}
            assert await store.layout() == "directory"
            assert await store.get(OTHER) == entry(n=0)
            await store.patch(OTHER, {"n": 1})
        assert not any(task.done() for task in saves)
        holder.say("go")
        await asyncio.gather(*saves)

    while_held(store_file, work)


def test_save_that_finds_no_thread_in_time_says_so(store_file: Path) -> None:
    async def main(holder: Any) -> None:
        async with aio.open_store(store_file, timeout=0.5) as store:
            saves = (store.save({HOT: entry(n=n)}) for n in range(20))
            began = time.monotonic()
            async with asyncio.timeout(10):
                outcomes = await asyncio.gather(*saves, return_exceptions=True)
            assert time.monotonic() - began < 0.5 + 3
            assert all(isinstance(one, SessionStoreError) for one in outcomes)

    with child(working.hold, store_file, HOT) as holder:
        holder.hear()
        run_async(main(holder))
