"""Every store with its shape: what is there, in which layout, and what stands in its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.utils.translation import gettext as _

from sessionstore.entries import redact
from sessionstore.errors import Finding, SessionStoreError
from sessionstore.locks import HeldLock
from sessionstore.paths import StorePaths

from .facts import Disk, StoreFiles, disk_of, every_lock_of, files_of
from .findings import masked_finding
from .fleet import Scan, below_state, fleet, page_budget_s
from .layouts import LAYOUT_WORDS, both_layouts, layout_note, layout_of
from .problems import Problem, problem_of
from .readers import Freshness, Reader, read_all
from .rows import readable
from .tree import shown

Result = TypeVar("Result")

NEVER_READ = Freshness("unknown")


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a store's files and locks gave; each part may be a problem instead."""

    locks: list[HeldLock] | Problem
    disk: Disk | Problem
    files: StoreFiles | Problem


@dataclass(frozen=True, slots=True)
class StoreRow:
    """One store as the list shows it. Counts are None where they are not known."""

    id: str
    name: str
    path: str
    origin: str
    layout: str
    layout_note: str
    is_open: bool
    sessions: int | None = None
    machine_sessions: int | None = None
    bytes: int | None = None
    biggest_title: str = ""
    biggest_ref: str = ""
    biggest_bytes: int | None = None
    newest_at_ms: int | None = None
    locks: int | None = None
    waiters: int | None = None
    problems: int | None = None
    findings: tuple[Finding, ...] = ()
    freshness: Freshness = NEVER_READ
    disk: Disk | None = None
    files: StoreFiles | None = None
    held: tuple[HeldLock, ...] = ()
    agent_id: str | None = None

    @property
    def place(self) -> str:
        """The path, without the part that all stores of the state directory share."""
        return below_state(self.path)

    @property
    def problems_state(self) -> str:
        """How bad the worst of its problems is: "bad" or "watch"."""
        return "bad" if any(found.severity == "error" for found in self.findings) else "watch"

    @property
    def layout_words(self) -> str:
        """The layout, said for a person."""
        return _(LAYOUT_WORDS.get(self.layout, self.layout))


@dataclass(frozen=True, slots=True)
class StoreList:
    """All stores, those that could not be opened among them."""

    state_dir: str
    read_at_ms: int
    took_s: float
    rows: tuple[StoreRow, ...]
    problem: Problem | None

    @property
    def disks(self) -> tuple[tuple[Disk, tuple[str, ...]], ...]:
        """The file systems that the stores are on, each once, with the names of those stores."""
        found: dict[tuple[str, int], tuple[Disk, list[str]]] = {}
        for row in self.rows:
            if disk := row.disk:
                found.setdefault((disk.kind, disk.free_bytes >> 20), (disk, []))[1].append(row.name)
        return tuple((disk, tuple(names)) for disk, names in found.values())

    @property
    def opened(self) -> tuple[StoreRow, ...]:
        """Stores that were opened."""
        return tuple(row for row in self.rows if row.is_open)

    @property
    def skipped(self) -> tuple[StoreRow, ...]:
        """Stores that were found and not opened."""
        return tuple(row for row in self.rows if not row.is_open)


SORTS: dict[str, Callable[[StoreRow], object]] = {
    "agent": lambda row: row.name,
    "layout": lambda row: row.layout,
    "sessions": lambda row: row.sessions,
    "size": lambda row: row.bytes,
    "biggest": lambda row: row.biggest_bytes,
    "newest": lambda row: row.newest_at_ms,
    "locks": lambda row: row.locks,
    "problems": lambda row: row.problems,
}


def list_stores(
    *, sort: str = "agent", descending: bool = False, max_age_s: float = 0.0
) -> StoreList:
    """Find every store and look at each, within one budget; slow ones come with what is known.

    With ``max_age_s`` a reading that other requests had so lately is shared; locks never are.
    """
    began = time.monotonic()
    scan = fleet().refreshed(max_age_s=max_age_s)
    looks = read_all(scan.readers, _look, budget_s=page_budget_s())
    rows = [_row(reader, looks[reader.id]) for reader in scan.readers] + _skipped(scan)
    value = SORTS[sort]
    known = sorted(
        (row for row in rows if value(row) is not None),
        key=lambda row: (value(row), row.name),
        reverse=descending,
    )
    unknown = [row for row in rows if value(row) is None]
    took_s = time.monotonic() - began
    return StoreList(scan.state_dir, scan.at_ms, took_s, (*known, *unknown), scan.problem)


def _look(paths: StorePaths) -> Look:
    return Look(_tried(every_lock_of, paths), _tried(disk_of, paths), _tried(files_of, paths))


def _tried(work: Callable[[StorePaths], Result], paths: StorePaths) -> Result | Problem:
    """One look that fails must not take the others with it."""
    try:
        return work(paths)
    except SessionStoreError as error:
        return problem_of(error)
    except OSError as error:
        return Problem(_("The store could not be read"), error.strerror or "", "", 503)


def _row(reader: Reader, look: Look | Problem) -> StoreRow:
    summary = reader.summary()
    files = None if isinstance(look, Problem) or isinstance(look.files, Problem) else look.files
    disk = None if isinstance(look, Problem) or isinstance(look.disk, Problem) else look.disk
    locks = None if isinstance(look, Problem) or isinstance(look.locks, Problem) else look.locks
    own = [lock for lock in locks or () if lock.scope != "transcript"]
    layout = layout_of(summary, files, reader.paths)
    found = [*([both_layouts(reader.paths)] if layout == "both" else []), *reader.findings()]
    findings = tuple(masked_finding(finding) for finding in found)
    biggest = summary.largest if summary else None
    return StoreRow(
        id=reader.id,
        name=reader.name,
        path=shown(str(reader.paths.store_path.parent)),
        origin=reader.paths.origin,
        layout=layout,
        layout_note=layout_note(layout, reader.paths, files),
        is_open=True,
        sessions=summary.sessions if summary else None,
        machine_sessions=summary.machine_sessions if summary else None,
        bytes=summary.bytes if summary else None,
        biggest_title=str(redact(biggest.name or readable(biggest.key))) if biggest else "",
        biggest_ref=reader.refs.of(biggest.key) if biggest else "",
        biggest_bytes=biggest.size_bytes if biggest else None,
        newest_at_ms=summary.newest.updated_at_ms if summary and summary.newest else None,
        locks=None if locks is None else len(own),
        waiters=None if locks is None else sum(len(lock.waiters) for lock in own),
        problems=sum(finding.severity != "info" for finding in findings) if summary else None,
        findings=findings,
        freshness=reader.freshness(),
        disk=disk,
        files=files,
        held=tuple(locks or ()),
        agent_id=shown(reader.paths.agent_id) if reader.paths.agent_id else None,
    )


def _skipped(scan: Scan) -> list[StoreRow]:
    return [
        StoreRow(
            id=skipped.id,
            name=shown(skipped.paths.agent_id or str(skipped.paths.store_path)),
            path=shown(skipped.finding.path or str(skipped.paths.store_path)),
            origin=skipped.paths.origin,
            layout="unknown",
            layout_note="",
            is_open=False,
            findings=(masked_finding(skipped.finding),),
        )
        for skipped in scan.skipped
    ]
