"""One backup as its page shows it: what it is, what is in it, what was checked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.jobs import life
from dashboard.jobs.rows import JobRow, rows_of
from dashboard.jobs.seeing import visible_jobs
from dashboard.live import stamp_of
from dashboard.models import JobItem
from dashboard.models.jobs import FINISHED
from sessionstore.errors import Finding

from .archived_sessions import Archived, archived
from .backup_asking import ref_of
from .backup_catalogue import Kept, find_backup
from .backup_places import suggested_name
from .backup_rows import BackupRow, row_of
from .backup_work import DRILL, KINDS, VERIFY
from .findings import masked_finding
from .fleet import below_state
from .problems import Problem
from .rows import readable
from .tree import shown

PER_PAGE = 50
_HISTORY = 10


@dataclass(frozen=True, slots=True)
class ArchivedSession:
    """One session in a backup; ``store_ref`` addresses it in the store, where it is there now.

    Its digests stay here: they are of unmasked content, which could be guessed by them.
    """

    number: int
    ref: str
    key: str
    title: str
    size_bytes: int
    store_ref: str


@dataclass(frozen=True, slots=True)
class PastCheck:
    """One verification or trial restore that a job did."""

    job_id: int
    at_ms: int
    is_drill: bool
    went_well: bool
    message: str


@dataclass(frozen=True, slots=True)
class BackupPage:
    """Everything on the page. ``problem`` is why the archive's sessions cannot be listed."""

    row: BackupRow
    place: str
    findings: tuple[Finding, ...]
    sessions: tuple[ArchivedSession, ...]
    problem: Problem | None
    page: int
    pages: int
    history: tuple[PastCheck, ...]
    jobs: tuple[JobRow, ...]
    next_part: tuple[int, int]
    new_name: str
    has_runner: bool
    read_at_ms: int

    @property
    def stamp(self) -> str:
        """Digest what changes by itself."""
        known = (self.row.verified_at_ms, self.row.proven_at_ms, self.row.problem, self.row.held)
        return stamp_of(known, len(self.history), tuple(job.seen for job in self.jobs))

    @property
    def milestone(self) -> str:
        """What is announced when it changes."""
        return f"{self.row.verified_at_ms or 0}-{self.row.proven_at_ms or 0}-{len(self.jobs)}"


def backup_page(backup_id: str, *, page: int) -> BackupPage:
    """Read a sidecar, one page of the archive's manifest, and what jobs did to the backup.

    Raises:
        ProblemError: there is no such backup.
    """
    kept = find_backup(backup_id)
    answer = archived(kept)
    listed: Sequence[Archived] = () if isinstance(answer, Problem) else answer
    pages = max(1, -(-len(listed) // PER_PAGE))
    page = min(max(1, page), pages)
    first = (page - 1) * PER_PAGE
    verified_part = kept.backup.verified_part
    part, parts = verified_part if verified_part else (0, 10)
    return BackupPage(
        row=row_of(kept),
        place=below_state(shown(str(kept.backup.path))),
        findings=tuple(map(masked_finding, kept.backup.findings[:20])),
        sessions=tuple(
            _session(kept, number, one)
            for number, one in enumerate(listed[first : first + PER_PAGE], first + 1)
        ),
        problem=answer if isinstance(answer, Problem) else None,
        page=page,
        pages=pages,
        history=_history(backup_id),
        jobs=_jobs_at(kept),
        next_part=(part % parts + 1, parts),
        new_name=suggested_name(kept.name, backup_id),
        has_runner=life.is_any_alive(),
        read_at_ms=time.time_ns() // 1_000_000,
    )


def _session(kept: Kept, number: int, one: Archived) -> ArchivedSession:
    key = shown(one.key)
    reader = kept.reader
    is_there = reader is not None and reader.row(one.key) is not None
    return ArchivedSession(
        number=number,
        ref=ref_of(one.key),
        key=key,
        title=readable(key),
        size_bytes=one.size_bytes,
        store_ref=reader.refs.of(one.key) if reader is not None and is_there else "",
    )


def _history(backup_id: str) -> tuple[PastCheck, ...]:
    items = JobItem.objects.filter(key=backup_id, job__kind__in=(VERIFY, DRILL))
    done = items.filter(job__in=visible_jobs(), finished_at__isnull=False)
    return tuple(
        PastCheck(
            job_id=item.job_id,
            at_ms=int(item.finished_at.timestamp() * 1000) if item.finished_at else 0,
            is_drill=item.job.kind == DRILL,
            went_well=item.state == "done",
            message=shown(item.message),
        )
        for item in done.select_related("job").order_by("-finished_at")[:_HISTORY]
    )


def _jobs_at(kept: Kept) -> tuple[JobRow, ...]:
    active = visible_jobs().filter(kind__in=KINDS).exclude(state__in=FINISHED)
    mine = active.filter(items__key=kept.backup.id)
    if kept.store_id:
        mine = mine | active.filter(stores__store_id=kept.store_id)
    return tuple(rows_of(active.filter(pk__in=list(mine.values_list("pk", flat=True)))))
