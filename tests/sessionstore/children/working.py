"""Children that work on a store at the same time as others."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sessionstore import Store, open_store

Entry = dict[str, Any]


def opened(path: Path, **options: Any) -> Store:
    return open_store(path, gateway_lock_dir=path.parent / "gateway", timeout=60, **options)


def increment(path: Path, key: str, times: int, field: str = "count") -> None:
    """Add one to a number in the entry, many times."""
    with opened(path) as store:
        for _ in range(times):
            store.update(key, lambda old: {**(old or {}), field: (old or {}).get(field, 0) + 1})


def increment_own_field(path: Path, key: str, times: int, field: str) -> None:
    """The same by patches: what others do to other fields must survive."""
    with opened(path) as store:
        for number in range(1, times + 1):
            store.patch(key, {field: number})


def write_pairs(path: Path, keys: list[str], times: int, pipe: Connection) -> None:
    """Write entries whose two fields always agree; say when it is done."""
    with opened(path) as store:
        for number in range(times):
            store.put(
                keys[number % len(keys)], {"n": number, "text": "x" * (number % 3000), "m": number}
            )
    pipe.send("done")


def create_many(path: Path, barrier: Barrier, worker: int, threads: int, rounds: int) -> None:
    """In each round, all threads of all processes create a session of their own at once."""
    with opened(path) as store, ThreadPoolExecutor(threads) as pool:
        for number in range(rounds):
            barrier.wait(60)

            def create(thread: int, number: int = number) -> None:
                key = f"agent:main:{number}:{worker}:{thread}"
                store.get_or_create(key, lambda: {"sessionId": key})

            list(pool.map(create, range(threads)))


def get_or_create_many(path: Path, barrier: Barrier, threads: int, calls: Path) -> None:
    """Ask for one session from many threads; each factory call appends a byte to a file."""

    def factory() -> Entry:
        with calls.open("ab") as file:
            file.write(b"x")
        time.sleep(0.02)
        return {"sessionId": f"{os.getpid()}"}

    with opened(path) as store, ThreadPoolExecutor(threads) as pool:
        barrier.wait(60)
        found = list(pool.map(lambda _: store.get_or_create("one", factory), range(threads)))
        assert all(each == found[0] for each in found)


def adopt(path: Path, barrier: Barrier, worker: int) -> None:
    """Be one of several first writers."""
    with opened(path) as store:
        barrier.wait(60)
        store.put(f"agent:main:worker-{worker}", {"sessionId": str(worker)})


def adopt_and_tell(path: Path, pipe: Connection) -> None:
    """Make an unadopted directory ours by the first write."""
    with opened(path) as store:
        pipe.send("ready")
        pipe.recv()
        store.put("agent:main:first-write", {})
    pipe.send("done")


def hold(path: Path, key: str, pipe: Connection) -> None:
    """Hold a session's lock until told to go on (or killed)."""

    def wait(old: Entry | None) -> Entry:
        pipe.send("held")
        pipe.recv()
        return {**(old or {}), "holder": os.getpid()}

    with opened(path) as store:
        store.update(key, wait)
        pipe.send("done")


def fork_while_holding(path: Path, key: str, pipe: Connection) -> None:
    """Fork inside a change; the child writes another session and lives on."""

    def forking(old: Entry | None) -> Entry:
        pid = os.fork()
        if pid == 0:
            store.patch("agent:main:other", {"by": "the forked child"})
            pipe.send(os.getpid())
            time.sleep(30)
            os._exit(0)
        pipe.recv()
        return {**(old or {}), "by": "the parent"}

    with opened(path) as store:
        store.put("agent:main:warm", {})
        store.update(key, forking)
        pipe.send("done")
        time.sleep(30)


def exec_while_holding(path: Path, key: str, pipe: Connection) -> None:
    """Become another program, with the same pid, inside a change."""

    def replace(old: Entry | None) -> Entry:
        pipe.send("held")
        pipe.recv()
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(30)"])

    with opened(path) as store:
        store.update(key, replace)


def exit_while_holding(path: Path, key: str, pipe: Connection) -> None:
    """End without any cleaning up inside a change."""

    def leave(old: Entry | None) -> Entry:
        pipe.send("held")
        pipe.recv()
        os._exit(7)

    with opened(path) as store:
        store.update(key, leave)


def fork_and_share(path: Path, times: int) -> None:
    """One store object used by a parent and its forked child at once, from threads of both."""
    store = opened(path)
    store.put("agent:main:warm", {})
    pid = os.fork()

    def work() -> None:
        for _ in range(times):
            store.update("agent:main:one", lambda old: {"count": (old or {}).get("count", 0) + 1})

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if pid == 0:
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert status == 0


def tell(path: Path, key: str, pipe: Connection) -> None:
    """Be a fresh process that reads one session."""
    with opened(path) as store:
        pipe.send(store.get(key))


def patch_on_demand(path: Path, key: str, pipe: Connection) -> None:
    """Patch one session with whatever is asked for, until None is."""
    with opened(path) as store:
        while (fields := pipe.recv()) is not None:
            store.patch(key, fields)
            pipe.send("written")


def run_agent(path: Path, agent: str, shared: str, runs: int) -> None:
    """An agent's runs in a store that it shares: each begins with a read that is old at its end."""
    own = f"agent:{agent}:main"

    def note(fresh: Entry | None) -> Entry:
        old = fresh or {}
        return {**old, "lastTo": agent, "runs": old.get("runs", 0) + 1}

    with opened(path) as store:
        for number in range(1, runs + 1):
            stale = store.get(shared) or {}
            store.update(own, note)
            mine = {
                f"{agent}Run": stale.get(f"{agent}Run", 0) + 1,
                f"{agent}To": f"{agent}-{number}",
            }
            store.patch(shared, mine)
