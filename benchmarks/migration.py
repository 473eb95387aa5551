"""Measure a migration beside upstream's own and beside creating the files: row 18 of the targets.

    python -m benchmarks.migration            10,000 sessions
    python -m benchmarks.migration --full     and 100,000, each in a process of its own

A round migrates one ``sessions.json`` with each of the rivals, in turn; figures are medians of
ratios within one round. Every rival leaves its files durable.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import orjson

from sessionstore import migrate, open_store, plan_migration, plan_rollback, rollback
from sessionstore.keys import locate

from . import results
from .material import entries_of
from .places import Place, open_places, say
from .results import Result, Table, times

SESSIONS, MANY = 10_000, 100_000
UPSTREAM_SESSIONS = 2_000
"""Upstream syncs each file: its time grows with their number, so fewer tell its rate as well."""

Run = Callable[[], int]
Migration = Callable[[Path], Run]
"""Prepares to migrate the ``sessions.json`` in a folder; what it gives does it and returns the
number of sessions."""


def write_source(folder: Path, count: int) -> Path:
    """A ``sessions.json`` as OpenClaw writes it."""
    path = folder / "sessions.json"
    path.write_bytes(orjson.dumps(dict(entries_of(count)), option=orjson.OPT_INDENT_2))
    path.chmod(0o600)
    return path


def ours(folder: Path) -> Run:
    """Reading the source, safety copy, staging, verification, switch: all of a run."""
    with open_store(folder) as store:
        plan = plan_migration(store, sample=0)
    return lambda: migrate(plan).taken


def upstream(folder: Path) -> Run:
    """The way of OpenClaw PR 42524: one file after the other, file and folder synced each."""
    return lambda: _upstream(folder)


def _upstream(folder: Path) -> int:
    rows = orjson.loads((folder / "sessions.json").read_bytes())
    staging = folder / "sessions.d.migrating"
    staging.mkdir()
    fd = os.open(staging, os.O_RDONLY)
    for key, entry in rows.items():
        name = locate(key).file_name
        _create_synced(fd, name, orjson.dumps(entry, option=orjson.OPT_INDENT_2))
    os.close(fd)
    staging.rename(folder / "sessions.d")
    (folder / "sessions.json").rename(folder / f"sessions.json.bak.{time.time_ns() // 1_000_000}")
    return len(rows)


def _create_synced(folder_fd: int, name: str, data: bytes) -> None:
    temporary = f"{name}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder_fd)
    os.write(fd, data)
    os.fsync(fd)
    os.close(fd)
    os.rename(temporary, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    os.fsync(folder_fd)


def raw_create(folder: Path) -> Run:
    """The floor: the same files made and written, nothing read back, one sync at the end."""
    return lambda: _raw_create(folder)


def _raw_create(folder: Path) -> int:
    rows = orjson.loads((folder / "sessions.json").read_bytes())
    target = folder / "raw.d"
    target.mkdir()
    fd = os.open(target, os.O_RDONLY)
    for key, entry in rows.items():
        name = locate(key).file_name
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=fd)
        os.write(file, orjson.dumps(entry, option=orjson.OPT_INDENT_2))
        os.close(file)
    os.sync()
    os.close(fd)
    return len(rows)


@contextmanager
def _folder_with(place: Place, count: int) -> Iterator[Path]:
    with place.folder() as folder:
        write_source(folder, count)
        os.sync()
        yield folder


def seconds_per_session(place: Place, migration: Migration, count: int) -> float:
    """Wall seconds of one migration, per session."""
    with _folder_with(place, count) as folder:
        run = migration(folder)
        begun = time.perf_counter()
        done = run()
        took_s = time.perf_counter() - begun
        if done != count:
            raise SystemExit(f"{migration.__name__} took {done} of {count} sessions")
        return took_s / count


def rounds_of(place: Place, count: int, rounds: int) -> dict[str, list[float]]:
    """Each rival once a round, in another order each time; the first round is not counted."""
    rivals: list[tuple[str, Migration, int]] = [
        ("ours", ours, count),
        ("upstream", upstream, min(count, UPSTREAM_SESSIONS)),
        ("raw", raw_create, count),
    ]
    seen: dict[str, list[float]] = {name: [] for name, _, _ in rivals}
    for number in range(rounds + 1):
        shift = number % len(rivals)
        for name, migration, sessions in rivals[shift:] + rivals[:shift]:
            took_s = seconds_per_session(place, migration, sessions)
            if number:
                seen[name].append(took_s)
    return seen


def rows_of(place: Place, count: int, rounds: int) -> list[Result]:
    """Row 18 at one size on one file system."""
    seen = rounds_of(place, count, rounds)
    faster = median(a / b for a, b in zip(seen["upstream"], seen["ours"], strict=True))
    floor = median(a / b for a, b in zip(seen["ours"], seen["raw"], strict=True))
    rate = f"{1 / median(seen['ours']):,.0f}/s"
    figures = {f"{name}_us": round(median(all_s) * 1e6, 1) for name, all_s in seen.items()}
    return [
        Result(18, f"migration: upstream's time ÷ ours, {count:,}", place.file_system,
               "26–32 ×", "≥ 12 ×", f"{times(faster)} × ({rate})",
               faster >= 12 if place.kind != "tmpfs" else None, figures),
        Result(18, f"migration ÷ creating the files, {count:,}", place.file_system,
               "–", "≤ 1.6", times(floor), floor <= 1.6, figures),
    ]  # fmt: skip


def whole_run(place: Place, count: int) -> list[str]:
    """One migration and its rollback in a process of its own, for its memory."""
    with _folder_with(place, count) as folder:
        source_bytes = (folder / "sessions.json").stat().st_size
        command = [sys.executable, "-m", "benchmarks.migration", "--one", str(folder)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    one = json.loads(output)
    return [
        f"{count:,}", place.file_system, f"{source_bytes / 1e6:.0f} MB",
        f"{one['plan_s']:.1f} s", f"{one['migrate_s']:.1f} s", f"{one['exclusive_ms']:.1f} ms",
        f"{one['rollback_s']:.1f} s", f"{one['rollback_exclusive_ms']:.1f} ms",
        f"{one['peak_bytes'] / source_bytes:.1f} ×",
    ]  # fmt: skip


def run_one(folder: Path) -> None:
    """Plan, migrate, roll back; print what it took."""
    before = _peak_bytes()
    with open_store(folder) as store:
        begun = time.perf_counter()
        plan = plan_migration(store)
        planned = time.perf_counter()
        report = migrate(plan)
        migrated = time.perf_counter()
        peak = _peak_bytes() - before
        undo = plan_rollback(store)
        undoing = time.perf_counter()
        undone = rollback(undo)
        ended = time.perf_counter()
    found = {
        "plan_s": planned - begun,
        "migrate_s": migrated - planned,
        "exclusive_ms": report.exclusive_s * 1e3,
        "rollback_s": ended - undoing,
        "rollback_exclusive_ms": undone.exclusive_s * 1e3,
        "peak_bytes": peak,
    }
    sys.stdout.write(json.dumps(found))


def _peak_bytes() -> int:
    """The most memory that this process had at once. A child inherits what getrusage(2) says."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("peak memory is read from /proc/self/status, which Linux has")


def main() -> None:
    """Measure what the arguments ask for, print it, and keep it."""
    options = _options()
    if options.one is not None:
        run_one(options.one)
        return
    facts = results.machine()
    columns = ["sessions", "where", "source", "plan", "migrate", "writers kept out",
               "roll back", "writers kept out", "peak memory ÷ source"]  # fmt: skip
    found: list[Result] = []
    table = Table("A migration and its rollback", columns, [])
    with open_places(options.directory, loop=options.loop) as places:
        for place in places:
            found += rows_of(place, SESSIONS, options.rounds)
            for count in (SESSIONS, MANY) if options.full else (SESSIONS,):
                table.rows.append(whole_run(place, count))
        facts["file_systems"] = sorted({place.file_system for place in places})
    say("\n" + results.show(found))
    say(f"\n{table.title}\n" + results.align([table.columns, *table.rows]))
    say(f"\nkept in {results.write('migration', found, [table], machine=facts)}")
    if any(result.passed is False for result in found):
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.migration", description="Measure migration.")
    parser.add_argument("--directory", type=Path, help="a directory on the disk to measure")
    parser.add_argument("--full", action="store_true", help="100,000 sessions as well")
    parser.add_argument("--loop", action="store_true", help="also a journaled ext4 (root)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per measurement")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
