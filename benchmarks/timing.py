"""Interleaved timing of operations, and the figures made from it.

Two operations are compared only when they ran alternately, one by one: on a busy machine the
ratio of their medians then stays within one or two per cent, where block means of the same two
operations differ by up to four times (the machine's other work hits both alike).
"""

from __future__ import annotations

import gc
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns, thread_time_ns

Operation = Callable[[int], object]
"""One operation; the argument counts its calls."""


@dataclass(slots=True)
class Samples:
    """Wall and CPU nanoseconds of one operation, in the order it ran."""

    wall_ns: array[int] = field(default_factory=lambda: array("q"))
    cpu_ns: array[int] = field(default_factory=lambda: array("q"))

    @property
    def p50_us(self) -> float:
        """Median of the wall time in microseconds."""
        return percentile(self.wall_ns, 0.5) / 1_000

    @property
    def cpu_us(self) -> float:
        """Median of the CPU time in microseconds."""
        return percentile(self.cpu_ns, 0.5) / 1_000


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) lies; nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return percentile(values, 0.5)


def jain(counts: Sequence[float]) -> float:
    """Jain's fairness index: 1 when all got the same, 1/n when one got everything."""
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / (len(counts) * squares) if squares else 0.0


def interleave(
    operations: Mapping[str, Operation],
    rounds: int,
    *,
    repeats: Mapping[str, int] | None = None,
    warm: int = 3,
) -> dict[str, Samples]:
    """Run the operations in turn, changing their order each round, and time each call.

    ``repeats`` gives quick operations several calls a round: after a slow one the caches are
    cold, and the first quick call pays for it.
    """
    samples = {name: Samples() for name in operations}
    names = list(operations)
    turns = dict.fromkeys(names, 0)
    overhead_ns = _clock_overhead_ns()
    gc.collect()
    for number in range(warm + rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            run = operations[name]
            for _ in range(1 if repeats is None else repeats.get(name, 1)):
                turn = turns[name] = turns[name] + 1
                cpu = thread_time_ns()
                wall = perf_counter_ns()
                run(turn)
                wall = perf_counter_ns() - wall
                cpu = thread_time_ns() - cpu
                if number >= warm:
                    samples[name].wall_ns.append(wall)
                    samples[name].cpu_ns.append(max(cpu - overhead_ns, 1))
    return samples


def _clock_overhead_ns() -> int:
    """What an empty operation seems to cost in CPU time: reading that clock is a system call."""
    seen = []
    for _ in range(200):
        cpu = thread_time_ns()
        perf_counter_ns()
        perf_counter_ns()
        seen.append(thread_time_ns() - cpu)
    return int(median(seen))


def ratio(samples: Mapping[str, Samples], name: str, base: str) -> float:
    """Median wall time of one operation divided by another's."""
    return samples[name].p50_us / samples[base].p50_us


def cpu_ratio(samples: Mapping[str, Samples], name: str, base: str) -> float:
    """Median CPU time of one operation divided by another's."""
    return samples[name].cpu_us / samples[base].cpu_us
