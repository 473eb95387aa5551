"""The last run at a store, its migration or the undoing of one, as pages tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.jobs.seeing import visible_jobs
from dashboard.models import JobItem

from .migration_summaries import needs_attention
from .migration_words import outcome_tone, outcome_word
from .migration_work import RUN, UNDO


@dataclass(frozen=True, slots=True)
class LastRun:
    """One run. ``report`` is as ``migration_summaries`` keeps it: masked.

    ``job_id`` is None where the job was about stores of others, too, so that its page is not for
    whoever asks.
    """

    job_id: int | None
    at_ms: int
    report: Mapping[str, Any]

    @property
    def word(self) -> str:
        """What it came to."""
        return outcome_word(self.report["outcome"])

    @property
    def tone(self) -> str:
        """How that is coloured: by its findings, too, but a run that went well is never bad."""
        tone = outcome_tone(self.report["outcome"])
        return "watch" if tone == "ok" and needs_attention(self.report) else tone

    @property
    def is_undo(self) -> bool:
        """Whether it undid a migration."""
        return bool(self.report["outcome"] == "rolled_back")

    @property
    def needs_attention(self) -> int:
        """How many of its findings ask for a look."""
        return needs_attention(self.report)

    @property
    def took_ms(self) -> float:
        """How long it took."""
        return 1000 * float(self.report.get("took_s", 0))

    @property
    def exclusive_ms(self) -> float:
        """How long writers were kept out."""
        return 1000 * float(self.report.get("exclusive_s", 0))


def last_run(store_id: str) -> LastRun | None:
    """The last run at a store that has a report; the caller has checked the scope."""
    return last_runs([store_id]).get(store_id)


def last_runs(store_ids: Iterable[str]) -> dict[str, LastRun]:
    """The last run at each of these stores that had one."""
    ran = JobItem.objects.filter(
        store_id__in=list(store_ids), job__kind__in=(RUN, UNDO), report__isnull=False
    )
    runs = ran.exclude(finished_at=None).order_by("finished_at", "pk")
    last = {item.store_id: item for item in runs if item.report["outcome"] != "refused"}
    jobs = visible_jobs().filter(pk__in={item.job_id for item in last.values()})
    seen = set(jobs.values_list("pk", flat=True))
    return {
        store_id: LastRun(
            item.job_id if item.job_id in seen else None,
            int(item.finished_at.timestamp() * 1000),
            item.report,
        )
        for store_id, item in last.items()
        if item.finished_at is not None
    }
