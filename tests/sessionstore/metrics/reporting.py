"""Windows as writers report them, and files of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from sessionstore.metrics import (
    HOLD,
    PHASES,
    WAIT,
    WRITE,
    WRITTEN,
    Group,
    Histogram,
    History,
    HotSession,
    KeptWrite,
    Labels,
    Process,
    Window,
)
from sessionstore.paths import StorePaths, store_paths
from sessionstore.recording.records import FOLDER, VERSION, pack_frame
from sessionstore.recording.segments import own_host
from sessionstore.recording.thinning import Tidied, thin

HOUR, MINUTE, SECOND = 3_600_000, 60_000, 1_000
NOW = 1_800_000_000_000  # a whole hour and a minute, so that thinning times are known
assert NOW % HOUR == 0


def histogram(values: Iterable[int]) -> Histogram:
    found = Histogram({})
    for value in values:
        found.add(value)
    return found


def process(pid: int = 1, *, host: str | None = None) -> Process:
    return Process(host or own_host(), pid, 77, "gateway")


def window(
    until_ms: int,
    *,
    length_ms: int = 5 * SECOND,
    covered_from_ms: int | None = None,
    pid: int = 1,
    holds: Sequence[int] = (1_000_000,),
    key: str = "agent:main:a",
    operation: str = "patch",
    outcome: str = "written",
) -> Window:
    """One window in which ``key`` was updated once for each of ``holds``, in nanoseconds."""
    start_ms = until_ms - length_ms
    series = {name: histogram(holds) for name in (WAIT, HOLD, WRITE, WRITTEN, *PHASES)}
    count = len(holds)
    write = KeptWrite(
        until_ms - 1, key, operation, outcome, "directory", 1, 2, 3, 4, 5, pid, "h", "gateway"
    )
    return Window(
        VERSION,
        start_ms if covered_from_ms is None else covered_from_ms,
        start_ms,
        until_ms,
        [process(pid)],
        [Group(Labels(operation, outcome, "session", "directory"), count, 0, series)],
        [HotSession(key, count, 0, sum(holds), sum(holds), count, 0)],
        [write],
        {"get": histogram([500])},
        {"dropped": 1},
    )


def paths_in(folder: Path) -> StorePaths:
    paths = store_paths(folder / "sessions.json")
    (paths.sidecar / FOLDER).mkdir(parents=True, exist_ok=True)
    return paths


def report(
    paths: StorePaths, windows: Iterable[Window], *, pid: int = 1, part: str = "", host: str = ""
) -> Path:
    """Write a file as a writer would that is dead by now, as old as its last window."""
    windows = list(windows)
    path = paths.sidecar / FOLDER / f"{host or own_host()}-{pid}-77{part}.windows"
    path.write_bytes(b"".join(pack_frame(one) for one in windows))
    if windows:
        touch(path, windows[-1].until_ms)
    return path


def touch(path: Path, at_ms: int) -> None:
    os.utime(path, ns=(at_ms * 1_000_000, at_ms * 1_000_000))


def keep_open(path: Path) -> int:
    """Lock a file as its living owner does; close the descriptor to die."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def names_of(paths: StorePaths) -> set[str]:
    return {path.name for path in (paths.sidecar / FOLDER).iterdir()}


def figures(total: Window) -> object:
    """Everything of a window that adds up, in an order that does not matter."""
    return (
        {group.labels: (group.count, group.contended, group.series) for group in total.groups},
        total.reads,
        {name: count for name, count in total.counters.items() if name != "unlisted"},
    )


def history_of(folder: Path, now_ms: int = NOW) -> History:
    """The history of the store in a folder, read at a time."""
    history = History(paths_in(folder))
    history.refresh(now_ms=now_ms)
    return history


def updates(total: Window | None) -> int:
    """How many updates a sum is of."""
    return 0 if total is None else sum(group.count for group in total.groups)


def thin_all(sidecar: Path, now_ms: int = NOW) -> Tidied:
    """Thin until nothing is left to do; what the first call did."""
    first = done = thin(sidecar, now_ms=now_ms)
    for _ in range(100):
        assert first is not None and done is not None
        if not (done.made or done.dropped):
            return first
        done = thin(sidecar, now_ms=now_ms)
    raise AssertionError("thinning never ends")
