"""Rows 5–8: one update beside stores that read or write all sessions, and the naive directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .material import SMALL_BYTES, keys_of
from .places import Place
from .results import Result, times
from .rival import Open, Rival
from .rivals import OURS, RIVALS, SLOW, patching
from .rows_update import Bench, opened, shuffled_keys
from .timing import Samples, cpu_ratio, interleave, ratio

BLOATED = (240, 235_000)
"""The store of the field report: 240 sessions, 56 MB."""


@dataclass(frozen=True, slots=True)
class Size:
    """A store size, and how often a slow rival is asked."""

    sessions: int
    bytes: int
    rounds: int

    @property
    def name(self) -> str:
        large = f" × {self.bytes // 1000} KB" if self.bytes > SMALL_BYTES else ""
        return f"{self.sessions:,}{large}"


SIZES = [Size(1_000, SMALL_BYTES, 30), Size(10_000, SMALL_BYTES, 6)]
LONG_SIZES = [Size(50_000, SMALL_BYTES, 4)]
BLOATED_SIZE = Size(*BLOATED, 4)


def beside(place: Place, size: Size, names: list[str]) -> dict[str, Samples]:
    """Our patch and the named rivals', interleaved; quick ones ten times a round."""
    keys = shuffled_keys(size.sessions)
    rivals: dict[str, Open] = {OURS: RIVALS[OURS], **{name: RIVALS[name] for name in names}}
    with (
        place.folder() as folder,
        opened(folder, rivals, size.sessions, size.bytes) as stores,
    ):
        operations = {
            name: patching(store, keys) for name, store in zip(rivals, stores, strict=True)
        }
        repeats = {name: 10 for name in rivals if name not in SLOW}
        return interleave(operations, size.rounds, repeats=repeats, warm=1)


def row_5(bench: Bench) -> list[Result]:
    """CPU time of the whole-file store."""
    limits = {
        "1,000": ("52", 40),
        "10,000": ("1,311", 700),
        "50,000": ("7,644", 4_000),
        BLOATED_SIZE.name: ("419", 300),
    }
    place = bench.memory[0]
    sizes = [*SIZES, BLOATED_SIZE, *(LONG_SIZES if bench.full else [])]
    results = []
    for size in sizes:
        whole = "whole file (orjson)"
        found = cpu_ratio(beside(place, size, [whole]), whole, OURS)
        prototype, limit = limits[size.name]
        results.append(
            _factor(5, f"CPU: whole file ÷ patch, {size.name}", place, prototype, limit, found)
        )
    return results


def _factor(
    row: int, what: str, place: Place, prototype: str, limit: float, found: float
) -> Result:
    return Result(
        row,
        what,
        place.file_system,
        f"{prototype} ×",
        f"≥ {limit:,g} ×",
        f"{times(found)} ×",
        found >= limit,
        {"ratio": found},
    )


def row_6(bench: Bench) -> list[Result]:
    """Bytes written: the blocks of every file that one update replaced."""
    place = bench.memory[0]
    results = []
    for size, prototype, limit in zip(SIZES, ("264", "2,643"), (250, 2_500), strict=True):
        rivals = {name: RIVALS[name] for name in (OURS, "whole file (orjson)")}
        with (
            place.folder() as folder,
            opened(folder, rivals, size.sessions, size.bytes) as stores,
        ):
            key = keys_of(size.sessions)[size.sessions // 2]
            ours, whole = (
                _written_blocks(folder / name, store, key)
                for name, store in zip(rivals, stores, strict=True)
            )
        what = f"bytes written: whole file ÷ patch, {size.sessions:,}"
        results.append(_factor(6, what, place, prototype, limit, whole / ours))
    return results


def _written_blocks(folder: Path, store: Rival, key: str) -> int:
    store.patch(key, {"totalTokens": 1})
    before = _files(folder)
    store.patch(key, {"totalTokens": 2})
    return sum(
        status.st_blocks * 512
        for path, status in _files(folder).items()
        if path not in before or before[path].st_ino != status.st_ino
    )


def _files(folder: Path) -> dict[str, os.stat_result]:
    paths = (os.path.join(base, name) for base, _, names in os.walk(folder) for name in names)
    return {path: os.stat(path) for path in paths}


def row_7(bench: Bench) -> list[Result]:
    """The algorithm of pull request 42186."""
    place = bench.memory[0]
    results = []
    for size, prototype, limit in zip(
        SIZES, ("470–1,000", "4,000–7,000"), (300, 3_000), strict=True
    ):
        found = ratio(beside(place, size, ["PR 42186"]), "PR 42186", OURS)
        what = f"PR 42186 ÷ patch, {size.sessions:,}, p50"
        results.append(_factor(7, what, place, prototype, limit, found))
    return results


def row_8(bench: Bench) -> list[Result]:
    """The naive directory store on FileLock, json and tempfile."""
    results = []
    for place in bench.places:
        prototype = "9.7" if place.kind == "tmpfs" else "4.6–5.1"
        naive = "FileLock directory"
        samples = beside(place, Size(1_000, SMALL_BYTES, 80), [naive])
        found = cpu_ratio(samples, naive, OURS)
        what = "CPU: FileLock directory ÷ patch, 1,000"
        results.append(_factor(8, what, place, prototype, 3.5, found))
    return results


ROWS: list[Callable[[Bench], list[Result]]] = [row_5, row_6, row_7, row_8]
