"""Window files as writers leave them beside a store, and the raw samples they were made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sessionstore.metrics import (
    CHANGED,
    HOLD,
    WAIT,
    WRITE,
    WRITTEN,
    Group,
    Histogram,
    HotSession,
    KeptWrite,
    Labels,
    Process,
    Window,
)
from sessionstore.paths import StorePaths
from sessionstore.recording.records import FOLDER, VERSION, pack_frame
from sessionstore.store import open_store

MS = 1_000_000
HOST = "host-a"


def histogram(values: Iterable[int]) -> Histogram:
    """A histogram of nanoseconds or bytes."""
    made = Histogram({})
    for value in values:
        made.add(value)
    return made


def group(
    *,
    operation: str = "patch",
    outcome: str = "written",
    scope: str = "session",
    layout: str = "directory",
    wait: Sequence[int] = (),
    hold: Sequence[int] | None = None,
    write: Sequence[int] | None = None,
    written: Sequence[int] = (),
    changed: Sequence[int] = (),
    phases: Mapping[str, Sequence[int]] | None = None,
    estimated: int = 0,
) -> Group:
    """Updates with the same labels; ``hold`` and ``write`` are as ``wait`` unless given."""
    hold = wait if hold is None else hold
    series = {
        WAIT: wait,
        HOLD: hold,
        WRITE: hold if write is None else write,
        WRITTEN: written,
        CHANGED: changed,
        **(phases or {}),
    }
    return Group(
        Labels(operation, outcome, scope, layout),
        count=len(wait),
        contended=0,
        series={name: histogram(values) for name, values in series.items() if values},
        estimated=estimated,
    )


def window(
    from_ms: int,
    until_ms: int,
    groups: Sequence[Group] = (),
    *,
    covered_from_ms: int | None = None,
    pid: int = 100,
    program: str = "gateway",
    sessions: Sequence[HotSession] = (),
    writes: Sequence[KeptWrite] = (),
) -> Window:
    """One report of one process."""
    return Window(
        version=VERSION,
        covered_from_ms=from_ms if covered_from_ms is None else covered_from_ms,
        from_ms=from_ms,
        until_ms=until_ms,
        processes=[Process(HOST, pid, 1, program)],
        groups=list(groups),
        sessions=list(sessions),
        writes=list(writes),
    )


def kept(at_ms: int, key: str, *, write_ns: int = 2 * MS, **fields: object) -> KeptWrite:
    """One update that was kept as an example."""
    made = KeptWrite(
        at_ms=at_ms,
        key=key,
        operation="patch",
        outcome="written",
        layout="directory",
        wait_ns=MS,
        hold_ns=3 * MS,
        write_ns=write_ns,
        written_bytes=2_048,
        changed_bytes=32,
        pid=100,
        host=HOST,
        program="gateway",
    )
    for name, value in fields.items():
        setattr(made, name, value)
    return made


Report = Callable[..., None]


def report(directory: Path, windows: Iterable[Window], *, pid: int = 100) -> None:
    """Append windows to the file of one process beside the store in ``directory``."""
    folder = paths_of(directory).sidecar / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = folder / f"{HOST}-{pid}-1.windows"
    with name.open("ab") as file:
        for one in windows:
            file.write(pack_frame(one))
    name.chmod(0o600)


def paths_of(directory: Path) -> StorePaths:
    """The places of the store in a directory."""
    return open_store(directory).paths


def plant_hours(
    directory: Path,
    *,
    now_ms: int,
    hours: int,
    processes: int = 1,
    every_s: int = 60,
    keys: Sequence[str] = (),
    silent_ms: tuple[int, int] | None = None,
    seed: int = 1,
) -> list[tuple[int, int]]:
    """Fill the hours before now with reports; returns each wait with the end of its window.

    Older reports are thinned, as writers do. Nobody reports within ``silent_ms``. Once in a while
    somebody waits for long, or gives up.
    """
    chance = random.Random(seed)
    waits: list[tuple[int, int]] = []
    for pid in range(100, 100 + processes):
        windows = []
        for start_ms, until_ms in _tiers(now_ms - hours * 3_600_000, now_ms, every_s * 1000):
            if silent_ms and start_ms < silent_ms[1] and until_ms > silent_ms[0]:
                continue
            values = [int(chance.lognormvariate(12.5, 1.6)) for _ in range(chance.randrange(3, 9))]
            waits += [(until_ms, value) for value in values]
            windows.append(_busy_window(chance, start_ms, until_ms, pid, values, keys))
            if chance.random() < 0.004:
                given_up = 10_000 * MS + chance.randrange(MS)
                waits.append((until_ms, given_up))
                windows[-1].groups.append(group(outcome="timeout", wait=[given_up], hold=[0]))
        report(directory, windows, pid=pid)
    return waits


def _tiers(start_ms: int, now_ms: int, every_ms: int) -> Iterator[tuple[int, int]]:
    """Windows as thinning leaves them: a minute, five and fifteen with age, at least ``every``."""
    at = start_ms
    while at < now_ms:
        age_ms = now_ms - at
        thinned_ms = 900_000 if age_ms > 86_400_000 else 300_000 if age_ms > 21_600_000 else 60_000
        length_ms = max(every_ms, thinned_ms if age_ms > 3_600_000 else 5_000)
        until_ms = min(now_ms, (at // length_ms + 1) * length_ms)
        yield at, until_ms
        at = until_ms


def _busy_window(
    chance: random.Random,
    start_ms: int,
    until_ms: int,
    pid: int,
    waits: list[int],
    keys: Sequence[str],
) -> Window:
    holds = [int(chance.lognormvariate(14.5, 0.8)) for _ in waits]
    shares = {"lock": 5, "read": 15, "merge": 4, "serialise": 8, "write": 20, "sync": 40}
    phases = {name: [hold * share // 100 for hold in holds] for name, share in shares.items()}
    phases |= {"queue": [wait // 2 for wait in waits], "rename": [hold // 20 for hold in holds]}
    sizes = [chance.randrange(2_000, 9_000) for _ in waits]
    hot = [
        HotSession(key, 2, 1, chance.randrange(9 * MS), chance.randrange(60 * MS), 4_000, at % 3)
        for at, key in enumerate(keys)
        if chance.random() < 0.5
    ]
    writes = [
        kept(until_ms - 400, key, write_ns=chance.randrange(40 * MS), pid=pid) for key in keys[:2]
    ]
    busy = group(
        wait=waits,
        hold=holds,
        write=[hold // 2 for hold in holds],
        written=sizes,
        changed=[size // 40 for size in sizes],
        phases=phases,
    )
    busy.contended = len(waits) // 3
    return window(start_ms, until_ms, [busy], pid=pid, sessions=hot, writes=writes)
