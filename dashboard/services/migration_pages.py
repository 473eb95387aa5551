"""One store's migration, and the undoing of it, as a page shows it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.utils.translation import gettext as _

from dashboard.jobs import life
from dashboard.jobs.rows import JobRow, row_of
from dashboard.live import stamp_of
from dashboard.models import StorePlan

from .amounts import duration
from .facts import StoreFiles, files_of
from .fleet import below_state, fleet, page_budget_s
from .layouts import LAYOUT_WORDS, layout_note, layout_of
from .migration_asking import job_at
from .migration_plans import find_kept
from .migration_proof import Proof, proofs_of
from .migration_rows import PER_PAGE, SessionRow, page_of_rows
from .migration_runs import LastRun, last_run
from .migration_steps import Step, steps_of
from .migration_summaries import needs_attention
from .migration_words import ACTIONS, MIGRATE, ROLLBACK, action_word, form_word, planned_word
from .migration_work import CHECK
from .problems import Problem
from .readers import Reader, refresh_all
from .tree import shown


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """Which store it is and what is in it now, as far as that is known."""

    id: str
    name: str
    place: str
    directory_name: str
    layout: str
    layout_words: str
    layout_note: str
    sessions: int | None
    bytes: int | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class MigrationPage:
    """Everything on the page. ``kind`` is migrate or rollback; ``rows`` one page of its preview.

    ``is_older``: the store was written since the preview was made.
    """

    kind: str
    store: StoreFacts
    preview: StorePlan | None
    is_older: bool
    last: LastRun | None
    proofs: tuple[Proof, ...]
    job: JobRow | None
    steps: tuple[Step, ...]
    rows: tuple[SessionRow, ...]
    tabs: tuple[tuple[str, str, int], ...]
    action: str
    page: int
    pages: int
    has_runner: bool
    read_at_ms: int

    @property
    def has_nothing_to_undo(self) -> bool:
        """Whether undoing is asked for where every session is in the old layout."""
        return self.kind == ROLLBACK and self.store.layout in ("legacy", "empty")

    @property
    def has_come_back(self) -> bool:
        """Whether a file of the old layout stands beside a migrated store, and nobody looked."""
        ran = self.last is not None and self.last.report["outcome"] in ("migrated", "merged")
        return self.preview is None and self.store.layout == "both" and (ran or bool(self.proofs))

    @property
    def is_runnable(self) -> bool:
        """Whether the preview is of something that a run would do."""
        return self.preview is not None and self.preview.outcome in (
            *("migrated", "merged", "rolled_back"),
        )

    @property
    def is_running(self) -> bool:
        """Whether a job changes the store now, so that the preview is of what was."""
        return self.job is not None and self.job.kind != CHECK

    @property
    def planned(self) -> tuple[str, str]:
        """What a run would come to, in words, and its tone."""
        return planned_word(self.preview.outcome) if self.preview else ("", "none")

    @property
    def needs_attention(self) -> int:
        """How many findings of the preview ask for a look."""
        return needs_attention(self.preview.summary) if self.preview else 0

    @property
    def sources(self) -> tuple[dict[str, object], ...]:
        """Where sessions would be read from, with the form in words."""
        found = self.preview.summary.get("sources", ()) if self.preview else ()
        return tuple({**source, "word": form_word(source["form"])} for source in found)

    @property
    def has_room(self) -> bool:
        """Whether the disk had what a run needs."""
        summary = self.preview.summary if self.preview else {}
        return bool(summary.get("free_bytes", 0) >= summary.get("needed_bytes", 0))

    @property
    def estimate_words(self) -> str:
        """How long a run would take, by the sample that was measured."""
        summary = self.preview.summary if self.preview else {}
        seconds = float(summary.get("estimated_s", 0))
        if seconds < 1:  # what a run costs besides its sessions is not in the sample
            return _("less than a second")
        return _("about %s") % duration(1000 * seconds)

    @property
    def stamp(self) -> str:
        """Digest what changes by itself on the page."""
        job = self.job.seen if self.job else None
        made = self.preview.pk if self.preview else None
        return stamp_of(job, made, self.last.at_ms if self.last else None, self.has_runner)

    @property
    def milestone(self) -> str:
        """What is announced when it changes."""
        if self.job is None:
            return "none"
        part = self.job.part.percent // 25 if self.job.part else 0
        return f"{self.job.id}-{self.job.state}-{part}"

    @property
    def announcement(self) -> str:
        """One sentence on where it is."""
        if self.job is not None and self.job.part is not None:
            return _("%(title)s: %(percent)d %% done.") % {
                "title": self.job.title,
                "percent": self.job.part.percent,
            }
        if self.job is not None:
            return f"{self.job.title}: {self.job.word}"
        if self.last is not None and self.preview is None:
            return str(self.last.report["sentence"])
        return str(self.preview.summary["sentence"]) if self.preview else ""


def migration_page(store_id: str, kind: str, *, action: str, page: int) -> MigrationPage:
    """Read what is kept about a store and one page of its preview's sessions.

    Raises:
        ProblemError: there is no such store.
    """
    reader = fleet().reader(store_id)
    refresh_all([reader], budget_s=page_budget_s())
    files = reader.read(files_of, budget_s=page_budget_s())
    proofs = reader.read(proofs_of, budget_s=page_budget_s())
    proofs = () if isinstance(proofs, Problem) else proofs
    kept = find_kept(reader.id, kind)
    last = last_run(reader.id) if kind == MIGRATE else None
    job = job_at(reader.id)
    row = row_of(job) if job is not None else None
    facts = _facts(reader, files)
    counts = kept.summary["counts"] if kept else {}
    action = action if counts.get(action) else ""
    matched = counts.get(action, 0) if action else sum(counts.values())
    pages = max(1, -(-matched // PER_PAGE))
    page = min(max(1, page), pages)
    return MigrationPage(
        kind=kind,
        store=facts,
        preview=kept,
        is_older=kept is not None and _written_at(files) > kept.created_at_ms,
        last=last,
        proofs=proofs,
        job=row,
        steps=_steps(kept, last, row, facts, has_proof=bool(proofs)),
        rows=page_of_rows(kept, action, page) if kept else (),
        tabs=_tabs(kind, counts),
        action=action,
        page=page,
        pages=pages,
        has_runner=life.is_any_alive(),
        read_at_ms=time.time_ns() // 1_000_000,
    )


def _steps(
    kept: StorePlan | None,
    last: LastRun | None,
    job: JobRow | None,
    store: StoreFacts,
    *,
    has_proof: bool,
) -> tuple[Step, ...]:
    if kept is None and store.layout == "both":  # whatever was done before, it has to begin again
        return steps_of(None, None, job, has_proof=False)
    return steps_of(kept, last, job, has_proof=has_proof)


def _tabs(kind: str, counts: dict[str, int]) -> tuple[tuple[str, str, int], ...]:
    found = ((a, action_word(a), counts[a]) for a in ACTIONS[kind] if counts.get(a))
    return (("", _("all"), sum(counts.values())), *found)


def _facts(reader: Reader, files: StoreFiles | Problem) -> StoreFacts:
    summary = reader.summary()
    known = None if isinstance(files, Problem) else files
    layout = layout_of(summary, known, reader.paths)
    return StoreFacts(
        id=reader.id,
        name=reader.name,
        place=below_state(shown(str(reader.paths.store_path.parent))),
        directory_name=shown(reader.paths.directory.name),
        layout=layout,
        layout_words=_(LAYOUT_WORDS.get(layout, layout)),
        layout_note=layout_note(layout, reader.paths, known),
        sessions=summary.sessions if summary else None,
        bytes=summary.bytes if summary else None,
        problem=reader.freshness().problem,
    )


def _written_at(files: StoreFiles | Problem) -> int:
    if isinstance(files, Problem):
        return 0
    return max(files.legacy_at_ms or 0, files.directory_at_ms or 0)
