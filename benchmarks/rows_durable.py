"""Rows 19 and 20: what recording and syncing add to an update."""

from __future__ import annotations

from functools import partial
from statistics import fmean

from sessionstore.files import Durability

from .material import entries_of
from .places import Place
from .results import Result, times
from .rival import Open
from .rivals import (
    Ours,
    RawRelaxed,
    RawStrict,
    StagedRelaxed,
    StagedStrict,
    filled,
    patching,
)
from .rows_update import Bench, shuffled_keys
from .timing import interleave, median, ratio


def row_19(bench: Bench) -> list[Result]:
    """What recording the metrics of each update costs."""
    return [_row_19(bench.memory[0])]


def _row_19(place: Place) -> Result:
    """The median update, which has rows to leave, and the mean of the CPU, which folds them too.

    Both write the same sessions, each other values: an update that finds its values there writes
    nothing. Recording is as it is by default, with its thread that writes every five seconds.
    """
    keys = shuffled_keys(1_000)
    with place.folder() as folder:
        plain = filled(partial(Ours, report=False), folder, entries_of(1_000))
        recording = Ours(folder)
        patch, patch_recorded = patching(plain, keys), patching(recording, keys)
        operations = {
            "plain": lambda turn: patch(2 * turn),
            "recording": lambda turn: patch_recorded(2 * turn + 1),
        }
        blocks = [interleave(operations, 4_000) for _ in range(5)]
        plain.close()
        recording.close()
    cost_us = median([block["recording"].p50_us - block["plain"].p50_us for block in blocks])
    share = cost_us / median([block["plain"].p50_us for block in blocks])
    means = [{name: fmean(each.cpu_ns) / 1e3 for name, each in block.items()} for block in blocks]
    cpu_us = median([mean["recording"] - mean["plain"] for mean in means])
    cpu_share = cpu_us / median([mean["plain"] for mean in means])
    return Result(
        19,
        "metrics per update",
        place.file_system,
        "0.66 µs, 2.3 %",
        "≤ 1 µs and ≤ 3 %",
        f"{cost_us:.2f} µs, {100 * share:.1f} % (CPU, folding included: {cpu_us:.2f} µs, "
        f"{100 * cpu_share:.1f} %)",
        max(cost_us, cpu_us) <= 1 and max(share, cpu_share) <= 0.03,
        {"us": cost_us, "share": share, "cpu_us": cpu_us, "cpu_share": cpu_share},
    )


def row_20(bench: Bench) -> list[Result]:
    """Durable updates beside a raw replace with the same syncs, staged as ours and in place."""
    kinds: dict[Durability, tuple[Open, Open]] = {
        "relaxed": (StagedRelaxed, RawRelaxed),
        "strict": (StagedStrict, RawStrict),
    }
    return [
        _row_20(place, durability, staged, in_place)
        for place in bench.only("ext4", "disk")
        for durability, (staged, in_place) in kinds.items()
    ]


def _row_20(place: Place, durability: Durability, staged: Open, in_place: Open) -> Result:
    keys = shuffled_keys(1_000)
    rivals: dict[str, Open] = {
        "ours": partial(Ours, durability=durability),
        "staged": staged,
        "in place": in_place,
    }
    with place.folder() as folder:
        for name, opening in {**rivals, "ours": Ours}.items():
            filled(opening, folder / name, entries_of(1_000)).close()
        stores = {name: opening(folder / name) for name, opening in rivals.items()}
        operations = {name: patching(store, keys) for name, store in stores.items()}
        blocks = [interleave(operations, 200) for _ in range(5)]
        for store in stores.values():
            store.close()
    found = median([ratio(block, "ours", "staged") for block in blocks])
    beside_place = median([ratio(block, "ours", "in place") for block in blocks])
    return Result(
        20,
        f"{durability} ÷ raw with the same syncs, p50",
        place.file_system,
        "1.0–1.1",
        "≤ 1.15",
        f"{times(found)} ({times(beside_place)} of raw staged in place)",
        found <= 1.15,
        {"ratio": found, "in_place": beside_place},
    )
