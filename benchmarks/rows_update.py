"""Rows 1–4, 19 and 20: what one update costs beside a raw atomic replace of the same size."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import syscalls
from .material import SMALL_BYTES, entries_of, fields_of, keys_of
from .places import Place
from .results import Result, times
from .rival import Open, Rival
from .rivals import (
    OURS,
    Ours,
    RawReplace,
    filled,
    patching,
)
from .timing import Operation, cpu_ratio, interleave, median, ratio

LARGE_BYTES = 60_000
_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to measure, and whether the long runs are wanted."""

    places: list[Place]
    full: bool

    def only(self, *kinds: str) -> list[Place]:
        """The places of these kinds."""
        return [place for place in self.places if place.kind in kinds]

    @property
    def memory(self) -> list[Place]:
        """tmpfs, or else the first place there is."""
        return self.only("tmpfs") or self.places[:1]


@dataclass(frozen=True, slots=True)
class Compared:
    """One operation beside another: medians of several interleaved blocks."""

    ratio: float
    cpu_ratio: float
    us: float
    base_us: float


def shuffled_keys(count: int) -> list[str]:
    """All keys in an order in which neighbours in the directory do not follow each other."""
    keys = keys_of(count)
    random.Random(1).shuffle(keys)
    return keys


def compare(operation: Operation, base: Operation, rounds: int) -> Compared:
    """Interleave two operations in several blocks; the median block counts."""
    blocks = [interleave({"it": operation, "base": base}, rounds) for _ in range(_BLOCKS)]
    return Compared(
        median([ratio(block, "it", "base") for block in blocks]),
        median([cpu_ratio(block, "it", "base") for block in blocks]),
        median([block["it"].p50_us for block in blocks]),
        median([block["base"].p50_us for block in blocks]),
    )


@contextmanager
def opened(
    folder: Path, rivals: dict[str, Open], sessions: int, size: int
) -> Iterator[list[Rival]]:
    """Rivals side by side below ``folder``, each filled with the same sessions."""
    with ExitStack() as stack:
        stores = []
        for name, opening in rivals.items():
            store = filled(opening, folder / name, entries_of(sessions, size))
            stack.callback(store.close)
            stores.append(store)
        yield stores


def updating(store: Ours, keys: list[str]) -> Operation:
    """As ``rivals.patching``, through ``update``."""
    order = itertools.cycle(keys)
    return lambda turn: store.update(next(order), fields_of(turn))


def beside_raw(place: Place, sessions: int, size: int, rounds: int) -> tuple[Compared, Compared]:
    """``patch`` and ``update``, each beside a raw replace on the same file system."""
    keys = shuffled_keys(sessions)
    with (
        place.folder() as folder,
        opened(folder, {"raw": RawReplace, "ours": Ours}, sessions, size) as (raw, ours),
    ):
        assert isinstance(ours, Ours)
        patch = compare(patching(ours, keys), patching(raw, keys), rounds)
        update = compare(updating(ours, keys), patching(raw, keys), rounds)
    return patch, update


_ROW_1 = {
    "tmpfs": ("1.70–1.86", 2.3, 2.2),
    "ext4": ("1.29–1.40", 1.6, 1.7),
    "disk": ("1.18–1.30", 1.5, 1.7),
}


def row_1(bench: Bench) -> list[Result]:
    """update ÷ raw replace, 1 KB."""
    results = []
    for place in bench.places:
        prototype, limit, cpu_limit = _ROW_1[place.kind]
        patch, update = beside_raw(place, 1_000, SMALL_BYTES, 1_500)
        figures = {"patch_us": patch.us, "raw_us": patch.base_us, "update": update.ratio}
        results += [
            Result(
                1,
                "patch ÷ raw replace, 1 KB, p50",
                place.file_system,
                prototype,
                f"≤ {limit}",
                f"{times(patch.ratio)} (update {times(update.ratio)})",
                patch.ratio <= limit,
                {"patch": patch.ratio, **figures},
            ),
            Result(
                1,
                "the same, CPU time",
                place.file_system,
                "–",
                f"≤ {cpu_limit}",
                f"{times(patch.cpu_ratio)} (update {times(update.cpu_ratio)})",
                patch.cpu_ratio <= cpu_limit,
                {"patch": patch.cpu_ratio, "update": update.cpu_ratio},
            ),
        ]
    return results


_ROW_2 = {"tmpfs": ("2.35", 3.0), "ext4": ("3.0", 4.0), "disk": ("1.3", 2.0)}


def row_2(bench: Bench) -> list[Result]:
    """The same at 60 KB."""
    results = []
    for place in bench.places:
        prototype, limit = _ROW_2[place.kind]
        patch, update = beside_raw(place, 100, LARGE_BYTES, 500)
        results.append(
            Result(
                2,
                "patch ÷ raw replace, 60 KB, p50",
                place.file_system,
                prototype,
                f"≤ {limit:g}",
                f"{times(patch.ratio)} (update {times(update.ratio)})",
                patch.ratio <= limit,
                {"patch": patch.ratio, "update": update.ratio, "raw_us": patch.base_us},
            )
        )
    return results


def row_3(bench: Bench) -> list[Result]:
    """System calls of one update at 10 and at 10,000 sessions."""
    place = bench.memory[0]
    counts = []
    for sessions in (10, 10_000):
        with place.folder() as folder:
            filled(Ours, folder, entries_of(sessions)).close()
            counts.append(syscalls.count(OURS, folder, sessions))
    few, many = counts
    if few is None or many is None:
        return [_row_3("skipped: strace is missing or not allowed", None, {})]
    calls = ", ".join(f"{number} {name}" for name, number in sorted(few.items()))
    text = f"{few.total()} and {many.total()} ({calls})"
    passed = few == many and few.total() <= 13
    return [_row_3(text, passed, {"few": few.total(), "many": many.total()})]


def _row_3(text: str, passed: bool | None, figures: dict[str, float]) -> Result:
    what = "system calls per update, N = 10 and 10,000"
    return Result(3, what, "any", "11 (12)", "≤ 13, the same", text, passed, figures)


def row_4(bench: Bench) -> list[Result]:
    """Growth with the number of sessions: all four operations interleaved in one run."""
    results = []
    for place in bench.places if bench.full else bench.memory:
        with place.folder() as folder, ExitStack() as stack:
            operations = {}
            for sessions in (100, 50_000):
                rivals: dict[str, Open] = {"raw": RawReplace, "ours": Ours}
                stores = opened(folder / str(sessions), rivals, sessions, SMALL_BYTES)
                keys = shuffled_keys(sessions)
                for name, store in zip(rivals, stack.enter_context(stores), strict=True):
                    operations[f"{name} {sessions}"] = patching(store, keys)
            blocks = [interleave(operations, 2_000) for _ in range(_BLOCKS)]
        growth = median(
            [
                ratio(block, "ours 50000", "raw 50000") / ratio(block, "ours 100", "raw 100")
                for block in blocks
            ]
        )
        what = "growth: (patch ÷ raw) at 50,000 sessions ÷ at 100"
        figures = {"growth": growth}
        verdict = growth <= 1.15
        results.append(
            Result(4, what, place.file_system, "1.05", "≤ 1.15", times(growth), verdict, figures)
        )
    return results
