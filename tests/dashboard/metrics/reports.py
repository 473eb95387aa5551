"""Reports as writers leave them, and answers of ``/metrics`` as a scraper reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sessionstore.metrics import Group, Histogram, Labels, Process, Window
from sessionstore.recording.records import pack_frame

TOKEN = "a-token-of-monitoring-0123456789"
MS = 1_000_000

Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Scrape:
    """Samples by name and labels."""

    samples: dict[Key, float]
    families: frozenset[str]

    def __call__(self, name: str, **labels: str) -> float | None:
        """One sample, None where there is none."""
        return self.samples.get((f"sessionstore_{name}", frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum over all samples with these labels, whatever their others."""
        wanted = frozenset(labels.items())
        return sum(
            value
            for (found, its), value in self.samples.items()
            if found == f"sessionstore_{name}" and wanted <= its
        )


def scraped(text: str) -> Scrape:
    """Parse an answer as monitoring does."""
    families = list(text_string_to_metric_families(text))
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }
    assert len(samples) == sum(len(family.samples) for family in families), "a sample came twice"
    return Scrape(samples, frozenset(family.name for family in families))


def process(pid: int, *, host: str = "elsewhere") -> Process:
    """A process that reports."""
    return Process(host, pid, 100 + pid, "gateway")


def histogram(values: Iterable[int]) -> Histogram:
    """A histogram of these values."""
    made = Histogram({})
    for value in values:
        made.add(value)
    return made


def group(
    waits_ms: Iterable[float],
    *,
    operation: str = "patch",
    outcome: str = "written",
    scope: str = "session",
    layout: str = "directory",
    contended: int = 0,
) -> Group:
    """Updates that waited so long, and held and wrote for a tenth of that."""
    waits = [int(wait * MS) for wait in waits_ms]
    series = {"wait": histogram(waits)}
    if outcome != "timeout":
        series["hold"] = histogram(wait // 10 for wait in waits)
    if outcome == "written":
        series |= {
            "write": histogram(wait // 10 for wait in waits),
            "sync": histogram([5] * len(waits)),
        }
        series |= {"written_bytes": histogram([700] * len(waits))}
        series |= {"changed_bytes": histogram([70] * len(waits))}
    return Group(Labels(operation, outcome, scope, layout), len(waits), contended, series)


def window(who: Process | list[Process], from_ms: int, until_ms: int, *groups: Group) -> Window:
    """A report."""
    processes = who if isinstance(who, list) else [who]
    return Window(1, from_ms, from_ms, until_ms, processes=processes, groups=list(groups))


def append(folder: Path, one: Window, *, name: str = "", store: str = "sessions.json") -> Path:
    """Leave a report beside a store as its writer does; the file that it is in."""
    stats = folder / ".sessionstore" / store.removesuffix(".json") / "stats"
    stats.mkdir(parents=True, exist_ok=True)
    first = one.processes[0]
    path = stats / f"{name or f'{first.host}-{first.pid}-{first.start}'}.windows"
    with path.open("ab") as file:
        file.write(pack_frame(one))
    return path
