"""How long a run will take, from writing a few of its very sessions on its very disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..locks.staging import Staging
from ..paths import StorePaths
from .sources import Row

_ALLOWANCE: Final = 2.0
"""For all else of a run: reading the source, hashing, the list of what was taken, ``syncfs``. With
it, estimates for 2,000 and 10,000 sessions were within a factor of two of the runs."""


class Estimate(NamedTuple):
    """Seconds for the whole run, and of how many written sessions that was measured."""

    seconds: float
    sampled: int


def estimate(paths: StorePaths, rows: Sequence[Row], sample: int) -> Estimate:
    """Write ``sample`` of the rows into this process's staging folder, read them back, remove them.

    Evenly spread over the rows, since sizes differ. Makes the store's own folder where it does
    not exist yet; nothing else stays.

    Raises:
        StoreIOError: nothing can be written there.
    """
    count = min(max(sample, 0), len(rows))
    if not count:
        return Estimate(0.0, 0)
    chosen = [rows[number * len(rows) // count].data for number in range(count)]
    staging = Staging(paths.sidecar)
    try:
        spent_ns = staging.time_writes(chosen)
    finally:
        staging.close()
    share = sum(len(row.data) for row in rows) / max(sum(map(len, chosen)), 1)
    # Half of the cost of a small file is the file, half its bytes: the mean of both shares.
    scale = (share + len(rows) / count) / 2
    return Estimate(spent_ns / 1e9 * scale * _ALLOWANCE, count)
