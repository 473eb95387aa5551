"""Every store with its layout, what a migration would do, and what the last run came to."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.jobs.rows import JobRow, rows_of
from dashboard.jobs.seeing import visible_jobs
from dashboard.live import stamp_of
from dashboard.models import JobStore, StorePlan
from dashboard.models.jobs import FINISHED

from .migration_plans import kept_by_store
from .migration_runs import LastRun, last_runs
from .migration_summaries import needs_attention
from .migration_words import MIGRATE, planned_word
from .migration_work import KINDS
from .only_read import SQLITE
from .problems import Problem
from .stores import StoreRow, list_stores

RUNNABLE = frozenset({"migrated", "merged"})
#: Layouts in which a look may find something to migrate.
OLDER = frozenset({"legacy", "both"})


@dataclass(frozen=True, slots=True)
class MigrationRow:
    """One store. ``word`` and ``tone`` say what a run would come to, or did, or that none knows."""

    store: StoreRow
    preview: StorePlan | None
    last: LastRun | None
    job: JobRow | None
    word: str
    tone: str
    sentence: str

    @property
    def can_run(self) -> bool:
        """Whether a run may be asked for from the list."""
        return (
            self.preview is not None
            and self.preview.outcome in RUNNABLE
            and self.job is None
            and self.preview.summary["gateway_pid"] is None
        )

    @property
    def must_choose(self) -> bool:
        """Whether somebody has to say that they know who reads the store."""
        return self.preview is not None and bool(self.preview.summary["must_choose"])

    @property
    def needs_attention(self) -> int:
        """How many findings of the preview ask for a look."""
        return needs_attention(self.preview.summary) if self.preview else 0


@dataclass(frozen=True, slots=True)
class MigrationList:
    """All stores that may be seen, those with something to migrate first."""

    rows: tuple[MigrationRow, ...]
    skipped: tuple[StoreRow, ...]
    problem: Problem | None
    state_dir: str
    read_at_ms: int

    @property
    def older(self) -> int:
        """How many stores are in an older layout."""
        return sum(row.store.layout in OLDER for row in self.rows)

    @property
    def has_whole_files(self) -> bool:
        """Whether writers of one of these rewrite a whole file, as where no directory is used."""
        return any(row.store.layout == "legacy" for row in self.rows)

    @property
    def runnable(self) -> tuple[MigrationRow, ...]:
        """Stores that can be migrated from here."""
        return tuple(row for row in self.rows if row.can_run)

    @property
    def must_choose(self) -> bool:
        """Whether one of these asks for a choice."""
        return any(row.must_choose for row in self.runnable)

    @property
    def has_openclaw(self) -> bool:
        """Whether OpenClaw was found at one of these."""
        return any(row.preview and row.preview.summary["openclaw"] for row in self.runnable)

    @property
    def is_busy(self) -> bool:
        """Whether a job is at one of the stores."""
        return any(row.job for row in self.rows)

    @property
    def stamp(self) -> str:
        """Digest what changes by itself."""
        rows = tuple((r.store.id, r.word, r.job.seen if r.job else None) for r in self.rows)
        return stamp_of(rows)

    @property
    def sentence(self) -> str:
        """What there is, in one sentence."""
        if not self.rows:
            return _("No store was found.")
        if not self.older and any(row.store.layout == SQLITE for row in self.rows):
            return _("Nothing is left to migrate: OpenClaw's own databases are only read.")
        if not self.older:
            return ngettext(
                "The store keeps one file per session; nothing is left to migrate.",
                "All %(n)s stores keep one file per session; nothing is left to migrate.",
                len(self.rows),
            ) % {"n": f"{len(self.rows):,}"}
        return ngettext(
            "%(n)s of %(total)s stores is in an older layout.",
            "%(n)s of %(total)s stores are in an older layout.",
            self.older,
        ) % {"n": f"{self.older:,}", "total": f"{len(self.rows):,}"}


def list_migrations(*, max_age_s: float = 0.0) -> MigrationList:
    """Look at every store and at what is kept about it; costs a fixed number of queries."""
    stores = list_stores(max_age_s=max_age_s)
    ids = [row.id for row in stores.opened]
    previews, lasts, jobs = kept_by_store(ids, MIGRATE), last_runs(ids), _jobs_at(ids)
    rows = [
        _row(row, previews.get(row.id), lasts.get(row.id), jobs.get(row.id))
        for row in stores.opened
    ]
    rows.sort(key=lambda row: (row.store.layout not in OLDER, row.store.name))
    return MigrationList(
        tuple(rows), stores.skipped, stores.problem, stores.state_dir, stores.read_at_ms
    )


def _jobs_at(store_ids: list[str]) -> dict[str, JobRow]:
    active = visible_jobs().filter(kind__in=KINDS).exclude(state__in=FINISHED)
    at = JobStore.objects.filter(store_id__in=store_ids, job__in=active)
    pairs = list(at.values_list("store_id", "job_id"))
    rows = {row.id: row for row in rows_of(active.filter(pk__in={job for _store, job in pairs}))}
    return {store_id: rows[job_id] for store_id, job_id in pairs if job_id in rows}


def _row(
    store: StoreRow, preview: StorePlan | None, last: LastRun | None, job: JobRow | None
) -> MigrationRow:
    if preview is not None:
        word, tone = planned_word(preview.outcome)
        return MigrationRow(store, preview, last, job, word, tone, preview.summary["sentence"])
    if last is not None and store.layout == "both":
        said = (_("not checked since"), "watch", store.layout_note)
        return MigrationRow(store, None, last, job, *said)
    if last is not None:
        return MigrationRow(store, None, last, job, last.word, last.tone, last.report["sentence"])
    word, tone, sentence = _unchecked(store)
    return MigrationRow(store, None, None, job, word, tone, sentence)


def _unchecked(store: StoreRow) -> tuple[str, str, str]:
    """What the layout alone tells."""
    if store.layout == "directory":
        said = _("It keeps one file per session already; a look finds leftovers of older forms.")
        return _("nothing to migrate"), "ok", said
    if store.layout == "empty":
        return _("nothing to migrate"), "none", _("Nothing is stored yet.")
    if store.layout == "sqlite":
        return _("nothing to migrate"), "none", store.layout_note
    if store.layout in OLDER:
        return _("not checked yet"), "watch", store.layout_note
    return _("not checked yet"), "unknown", _("The layout is not known yet.")
