"""Backups against tar, tar with gzip, and SQLite's online backup: row 17 of the targets.

    python -m benchmarks.backup            10,000 sessions
    python -m benchmarks.backup --full     and 100,000, the size that the target is stated for

What is compared runs alternately, in a changing order; figures are medians and their ratios. How
long writers are kept out is measured beside two processes that write 1,000 times a second
together, with a control: the same links taken all in exclusive mode. Memory is the peak of a
process that does nothing else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sessionstore import Backup, create_backup, open_store, verify_backup
from sessionstore.backup.snapshot import take_snapshot
from sessionstore.demo import fill
from sessionstore.locks import open_locks
from sessionstore.paths import StorePaths, store_paths
from sessionstore.treefiles import Tree, make_work_folder

from .places import MEMORY, say
from .results import Result, Table, machine, show, times, write
from .timing import median

QUICK = (10_000,)
FULL = (10_000, 100_000)
UPDATES_PER_S = 500  # of each of two writers
LIMIT = 1 / 500
FORK = multiprocessing.get_context("fork")


@dataclass(slots=True)
class Measured:
    """Seconds of each way by name, in the order they ran; bytes of what it left."""

    sessions: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    exclusive_s: list[float] = field(default_factory=list)
    one_phase_s: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)

    def p50(self, name: str) -> float:
        return median(self.seconds[name])


def main() -> int:
    """Measure, print, and keep the results as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backup", description=__doc__)
    parser.add_argument("--full", action="store_true", help="100,000 sessions too")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per measurement")
    parser.add_argument("--directory", type=Path, help="where to make the stores")
    options = parser.parse_args()
    facts = machine()
    base = options.directory or (MEMORY if MEMORY.is_dir() else None)
    folder = Path(tempfile.mkdtemp(prefix="sessionstore-backup-", dir=base))
    measured = []
    try:
        for sessions in FULL if options.full else QUICK:
            say(f"{sessions:,} sessions")
            measured.append(measure(folder / str(sessions), sessions, options.rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    place = "tmpfs" if base == MEMORY else str(base or "disk")
    results = rows(measured, place)
    tables = [table(measured)]
    print(show(results))
    write("backup", results, tables, machine={**facts, "file_systems": [place]})
    return int(options.full and any(result.passed is False for result in results))


def measure(folder: Path, sessions: int, rounds: int) -> Measured:
    """All ways over one store, in turn."""
    paths = store_paths(folder / "agents" / "main" / "sessions" / "sessions.json")
    paths.store_path.parent.mkdir(parents=True)
    fill(paths.store_path, sessions)
    database = folder / "rows.sqlite"
    copy_to_sqlite(paths, database)
    measured = Measured(sessions)
    ways = ways_of(paths, folder, database, measured)
    names = list(ways)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            started = time.perf_counter()
            size = ways[name]()
            measured.seconds.setdefault(name, []).append(time.perf_counter() - started)
            measured.sizes[name] = size
    measure_blocking(paths, folder, measured, rounds)
    for name in ("backup", "verify"):
        measured.memory[name] = peak_of(ways[name])
    return measured


def ways_of(
    paths: StorePaths, folder: Path, database: Path, measured: Measured
) -> dict[str, Callable[[], int]]:
    """What is compared: each makes a copy of all sessions and returns its size in bytes."""
    root = folder / "backups"
    kept: list[Backup] = []

    def backup() -> int:
        with open_store(paths) as store:
            made = create_backup(store, reason="benchmark", root=root)
        kept[:] = [made]
        return made.size_bytes

    def verify() -> int:
        if not kept:
            backup()
        assert verify_backup(kept[0], record=False).ok
        return kept[0].size_bytes

    def tar(target: str, *options: str) -> int:
        path = folder / target
        subprocess.run(
            ["tar", *options, "-cf", str(path), "-C", str(paths.directory.parent), "sessions.d"],
            check=True,
        )
        return path.stat().st_size

    def sqlite() -> int:
        path = folder / "copy.sqlite"
        path.unlink(missing_ok=True)
        with sqlite3.connect(database) as source, sqlite3.connect(path) as target:
            source.backup(target)
        source.close()
        target.close()
        return path.stat().st_size

    def snapshot() -> int:
        with make_work_folder(folder / "runs", "run-") as work:
            take_snapshot(paths, work)
        return 0

    return {
        "backup": backup,
        "verify": verify,
        "snapshot": snapshot,
        "tar": lambda: tar("plain.tar"),
        "tar+gzip": lambda: tar("packed.tar.gz", "-z"),
        "sqlite": sqlite,
    }


def copy_to_sqlite(paths: StorePaths, database: Path) -> None:
    """The same sessions as rows of one table."""
    with open_store(paths) as store, sqlite3.connect(database) as target:
        target.execute("PRAGMA journal_mode=WAL")
        target.execute("CREATE TABLE sessions (key TEXT PRIMARY KEY, entry BLOB)")
        found = (
            (key, (paths.directory / name).read_bytes()) for key, name in names_of(store.keys())
        )
        target.executemany("INSERT INTO sessions VALUES (?, ?)", found)
    target.close()


def names_of(keys: list[str]) -> Iterator[tuple[str, str]]:
    """Keys with the names of their files."""
    from sessionstore.keys import file_name

    return ((key, file_name(key)) for key in keys)


# -- how long writers are kept out ---------------------------------------------------------


def write_steadily(paths: StorePaths, first: int, stop: object) -> None:
    """One writer: patches sessions at a steady pace until it is told to stop."""
    assert hasattr(stop, "is_set")
    with open_store(paths, timeout=60) as store:
        keys = store.keys()[first::2]
        due = time.perf_counter()
        for number in range(1 << 60):
            if stop.is_set():
                return
            key = keys[number * 7919 % len(keys)]
            store.patch(key, {"count": number}, return_entry=False)
            due += 1 / UPDATES_PER_S
            time.sleep(max(due - time.perf_counter(), 0))


@contextmanager
def writers(paths: StorePaths) -> Iterator[None]:
    """Two processes that write together about 1,000 times a second."""
    stop = FORK.Event()
    children = [
        FORK.Process(target=write_steadily, args=(paths, number, stop)) for number in range(2)
    ]
    for child in children:
        child.start()
    time.sleep(0.5)
    try:
        yield
    finally:
        stop.set()
        for child in children:
            child.join(60)


def measure_blocking(paths: StorePaths, folder: Path, measured: Measured, rounds: int) -> None:
    """Exclusive time of our snapshot, and of the same links all in exclusive mode."""
    with writers(paths):
        for _ in range(rounds):
            with make_work_folder(folder / "runs", "run-") as work:
                measured.exclusive_s.append(take_snapshot(paths, work, timeout=60).exclusive_s)
            with make_work_folder(folder / "runs", "run-") as work:
                measured.one_phase_s.append(one_phase(paths, work))


def one_phase(paths: StorePaths, work: object) -> float:
    """Link everything while everybody waits; seconds that they waited."""
    locks = open_locks(paths.sidecar)
    tree = Tree(work, "entries")  # type: ignore[arg-type]
    fd = os.open(paths.directory, os.O_RDONLY)
    try:
        with locks.exclusive("one phase", 60):
            began = time.perf_counter()
            names = os.listdir(fd)
            names += [f"x/{name}" for name in os.listdir(paths.directory / "x")]
            for name in names:
                if name != "x":
                    tree.take(name, from_fd=fd)
            return time.perf_counter() - began
    finally:
        os.close(fd)
        tree.close()
        locks.close()


def peak_of(run: Callable[[], int]) -> int:
    """Bytes that a process held at most, above what it began with."""
    ours, theirs = FORK.Pipe()

    def child() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run()
        theirs.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)

    process = FORK.Process(target=child)
    process.start()
    grown: int = ours.recv()
    process.join(60)
    return grown


# -- what it says --------------------------------------------------------------------------


def rows(measured: list[Measured], place: str) -> list[Result]:
    """Row 17, and the ratios that have no target."""
    found = []
    for one in measured:
        blocked = median(one.exclusive_s) / median(one.one_phase_s)
        judged = one.sessions == FULL[-1]
        found.append(
            Result(
                17,
                f"snapshot blocking, writers on ÷ one phase, {one.sessions:,}",
                place,
                "1/1,400" if one.sessions == QUICK[0] else "1/260,000",
                "≤ 1/500",
                f"1/{1 / blocked:,.0f} ({median(one.exclusive_s) * 1e6:,.0f} µs, "
                f"{median(one.one_phase_s) * 1e3:,.0f} ms)",
                blocked <= LIMIT if judged else None,
                {"ratio": blocked},
            )
        )
        for rival in ("tar", "tar+gzip", "sqlite"):
            ratio = one.p50("backup") / one.p50(rival)
            found.append(
                Result(
                    0,
                    f"backup, read back ÷ {rival}, {one.sessions:,}",
                    place,
                    "–",
                    "–",
                    f"{times(ratio)} ({one.p50('backup'):.2f}, {one.p50(rival):.2f} s)",
                    None,
                    {"ratio": ratio},
                )
            )
    if len(measured) > 1:
        growth = median(measured[-1].exclusive_s) / median(measured[0].exclusive_s)
        found.append(
            Result(
                17,
                "snapshot blocking: growth from 10,000 to 100,000",
                place,
                "0.1",
                "≤ 1.5",
                times(growth),
                growth <= 1.5,
                {"ratio": growth},
            )
        )
    return found


def table(measured: list[Measured]) -> Table:
    """Seconds, sizes and memory of each way."""
    body = []
    for one in measured:
        for name in one.seconds:
            memory = one.memory.get(name)
            body.append(
                [
                    f"{one.sessions:,}",
                    name,
                    f"{one.p50(name):.2f}",
                    f"{one.sizes[name] / 1e6:.1f}" if one.sizes[name] else "–",
                    "–" if memory is None else f"{memory / 1e6:,.0f}",
                ]
            )
    return Table("Backups", ["sessions", "what", "seconds", "MB", "peak memory, MB"], body)


if __name__ == "__main__":
    raise SystemExit(main())
