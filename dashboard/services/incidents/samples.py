"""What writers reported in the span of an incident, as lines of a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dashboard.twins import iso
from sessionstore.metrics import Histogram, History, Process, Step, Window, bucket_low

from .disguise import Disguise

MOST_STEPS = 720
SHORTEST_STEP_MS = 10_000
MOST_SESSIONS = 100
MOST_WRITES = 200
_LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Reported:
    """One store's history of the span: its steps, all of them added up, when it was covered."""

    steps: tuple[Step, ...]
    total: Window
    coverage: tuple[tuple[int, int], ...]


def reported(history: History, start_ms: int, end_ms: int) -> Reported:
    """Read a span, in at most :data:`MOST_STEPS` steps."""
    step_ms = max(SHORTEST_STEP_MS, -(-(end_ms - start_ms) // MOST_STEPS))
    covered = tuple(
        (max(since, start_ms), min(until, end_ms))
        for since, until in history.coverage()
        if since < end_ms and until > start_ms
    )
    steps = tuple(history.steps(start_ms, end_ms, step_ms))
    return Reported(steps, history.total(start_ms, end_ms), covered)


def sample_lines(report: Reported, disguise: Disguise) -> Iterator[dict[str, Any]]:
    """One line for each step; a gap is a line that says so."""
    for step in report.steps:
        span = {"from": iso(step.start_ms), "until": iso(step.end_ms)}
        if step.window is None:
            yield {**span, "gap": True}
            continue
        window = step.window
        groups = [_group(group, disguise) for group in window.groups]
        reads = {_label(name, disguise): _plain(told) for name, told in window.reads.items()}
        counters = {_label(name, disguise): count for name, count in window.counters.items()}
        yield {
            **span,
            "groups": sorted(groups, key=lambda group: [group[name] for name in _LABELS]),
            "reads": reads,
            "counters": counters,
        }


_LABELS = ("operation", "outcome", "scope", "layout")


def _group(group: Any, disguise: Disguise) -> dict[str, Any]:
    return {
        **{name: _label(getattr(group.labels, name), disguise) for name in _LABELS},
        "count": group.count,
        "contended": group.contended,
        "series": {_label(name, disguise): _plain(told) for name, told in group.series.items()},
    }


def _plain(told: Histogram) -> dict[str, Any]:
    """A histogram: each bucket by the smallest value in it, with its count."""
    buckets = [[bucket_low(index), told.counts[index]] for index in sorted(told.counts)]
    return {"count": told.count, "sum": told.total, "max": told.maximum, "buckets": buckets}


def session_lines(report: Reported, disguise: Disguise) -> list[dict[str, Any]]:
    """The sessions that were held and awaited longest."""
    ordered = sorted(report.total.sessions, key=lambda one: (-(one.hold_ns + one.wait_ns), one.key))
    return [
        {
            "session": disguise.session(one.key),
            "updates": one.count,
            "contended": one.contended,
            "wait_ns": one.wait_ns,
            "hold_ns": one.hold_ns,
            "written_bytes": one.written_bytes,
            "may_be_too_large_by_updates": one.over_count,
            "estimated_updates": one.estimated,
        }
        for one in ordered[:MOST_SESSIONS]
    ]


def write_lines(report: Reported, disguise: Disguise) -> list[dict[str, Any]]:
    """The slowest of the updates that were kept as examples."""
    ordered = sorted(
        report.total.writes, key=lambda one: (-(one.wait_ns + one.hold_ns), one.at_ms, one.key)
    )
    return [
        {
            "at": iso(one.at_ms),
            "session": disguise.session(one.key),
            "operation": _label(one.operation, disguise),
            "outcome": _label(one.outcome, disguise),
            "layout": _label(one.layout, disguise),
            **{name: getattr(one, name) for name in _AMOUNTS},
            "host": disguise.host(one.host),
            "pid": one.pid,
            "program": disguise.text(one.program),
        }
        for one in ordered[:MOST_WRITES]
    ]


_AMOUNTS = ("wait_ns", "hold_ns", "write_ns", "written_bytes", "changed_bytes")


def process_lines(report: Reported, disguise: Disguise) -> list[dict[str, Any]]:
    """Who reported."""

    def order(process: Process) -> tuple[str, int, int]:
        return process.host, process.pid, process.start

    return [
        {
            "host": disguise.host(one.host),
            "pid": one.pid,
            "program": disguise.text(one.program),
        }
        for one in sorted(report.total.processes, key=order)
    ]


def _label(text: str, disguise: Disguise) -> str:
    return disguise.text(text)[:_LONGEST_LABEL]
