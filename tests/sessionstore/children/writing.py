"""Children that write and watch a store while another process migrates it or rolls it back."""

from __future__ import annotations

from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sessionstore import discover, held_locks, open_store
from sessionstore.index import Index, Query
from tests.sessionstore.migration.runs import run


def opened(path: Path) -> Any:
    return open_store(path, gateway_lock_dir=path.parent / "no-gateway", timeout=30.0)


def count_up(path: Path, key: str, pipe: Connection) -> None:
    """Add one to a session's counter until told to stop; then say how often that was done."""
    done = 0
    with opened(path) as store:
        while not pipe.poll():

            def add(entry: dict[str, Any] | None) -> dict[str, Any]:
                assert entry is not None, "the session was not there"
                return {**entry, "n": entry["n"] + 1}

            store.update(key, add)
            done += 1
            if done == 3:
                pipe.send("writing")
    pipe.send(done)


def make_more(path: Path, pipe: Connection) -> None:
    """Make new sessions until told to stop; then say how many."""
    done = 0
    with opened(path) as store:
        while not pipe.poll():
            store.put(f"agent:main:new-{done}", {"sessionId": "s", "updatedAt": 1, "n": done})
            done += 1
            if done == 3:
                pipe.send("writing")
    pipe.send(done)


def watch(path: Path, keys: frozenset[str], pipe: Connection) -> None:
    """Load until told to stop; say how often, and what was missing or went backwards."""
    looks, wrong = 0, []
    seen: dict[str, int] = {}
    with opened(path) as store:
        while not pipe.poll():
            loaded = store.load()
            if not keys <= loaded.keys():
                wrong.append(f"look {looks}: without {sorted(keys - loaded.keys())}")
            for key in keys & loaded.keys():
                if loaded[key]["n"] < seen.get(key, 0):
                    wrong.append(f"look {looks}: {key} went back to {loaded[key]['n']}")
                seen[key] = loaded[key]["n"]
                entry = store.get(key)
                if entry is None or entry["n"] < seen[key]:
                    wrong.append(f"look {looks}: {key} is {entry}")
            looks += 1
            if looks == 2:
                pipe.send("watching")
    pipe.send((looks, wrong))


def look_on(path: Path, state: Path, pipe: Connection) -> None:
    """Tell, each time it is asked, what a process sees that began before the migration."""
    with opened(path) as store:
        index = Index(store.paths)
        pipe.send("ready")
        while pipe.recv() == "look":
            index.refresh()
            pipe.send(
                {
                    "load": store.load(),
                    "get": {key: store.get(key) for key in store.keys()},  # noqa: SIM118
                    "layout": (store.layout, index.layout),
                    "index": {row.key for row in index.query(Query()).rows},
                    "problems": [found.rule for found in store.problems()],
                    "discover": [(one.store_path, one.problem) for one in discover(state)],
                    "locks": {held.key for held in held_locks(store)},
                }
            )


def migrate_together(path: Path, barrier: Barrier, guard: bool) -> None:
    """Migrate when everybody is ready."""
    barrier.wait(30)
    report = run(path, guard=guard)
    assert report.outcome in ("migrated", "merged", "already"), report
