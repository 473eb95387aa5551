"""What plans and reports of a migration are made of. Values only: nothing here looks at a disk.

Paths in findings and sentences are relative to the store's folder where they are inside it
(requirements D6). Times are epoch milliseconds, sizes bytes, durations seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import Finding
from ..locks import HeldLock
from ..paths import StorePaths

Outcome = Literal[
    "missing", "already", "migrated", "merged", "skipped_empty", "skipped_invalid", "failed"
]
"""One per store (requirements B2). ``missing``: nothing there that could be migrated."""

OUTCOMES: tuple[Outcome, ...] = (
    "migrated",
    "merged",
    "already",
    "missing",
    "skipped_empty",
    "skipped_invalid",
    "failed",
)

Form = Literal["json", "json5", "meta", "folders", "files", "entries"]
"""An older form (layout-variants §1): a strict or tolerant ``sessions.json`` (L0), ``.meta.json``
beside transcripts (L1, PR 4664), a folder per session (L2, 19528), a file per session (L3, 42186
and 42524), ``state.json`` with ``entries/`` (L4, 51946)."""

Action = Literal["move", "equal", "differs", "blocked"]
"""Of one session: not in the directory yet; there and equal; there and different (``reason`` says
which of the two stays, the newer); cannot be taken over (``reason`` says why)."""

Progress = Callable[[int, int, str], None]
"""Called with (done, total, item); what it raises stops the run, which can be started again."""

Phase = Literal["safety copy", "staging", "verifying", "switching", "finishing"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where sessions are read from. ``sha256`` and ``mtime_ns`` tell one state of a file from the
    next; both are None for a source of many files. ``name`` is relative to the store's folder."""

    form: Form
    name: str
    entries: int
    size_bytes: int
    mtime_ns: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """What would be done with one session. ``key`` is folded; ``spelt`` is the name it has in the
    source where that differs. ``file_name`` is relative to ``sessions.d``."""

    key: str
    action: Action
    source: str
    size_bytes: int
    file_name: str = ""
    reason: str = ""
    spelt: str = ""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something an earlier or interrupted run of some program left; listed, never merged by itself.

    ``will`` says what a run does with it: ``keep`` (it stays; it can be restored from), or
    ``set aside`` (to quarantine, as what it was copied from is still there).
    """

    name: str
    what: str
    entries: int
    size_bytes: int
    will: Literal["keep", "set aside"] = "keep"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that may use this store, and whether it can read it after the migration."""

    name: str
    reads_directory: bool
    consequence: str
    seen: str = ""
    """The evidence that it is used here, empty where there is none."""


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What a migration of one store would do. Frozen; ``digest`` covers all that it decides.

    ``outcome`` is what a run would end in. ``must_choose`` is true where an OpenClaw gateway, its
    config or its traces are found: a page or command must then have been told so explicitly
    before it runs the plan (openclaw-interop, last section).
    """

    paths: StorePaths
    outcome: Outcome
    sentence: str
    sources: tuple[Source, ...]
    sessions: tuple[PlannedSession, ...]
    findings: tuple[Finding, ...]
    leftovers: tuple[Leftover, ...]
    programs: tuple[Program, ...]
    writers: tuple[HeldLock, ...]
    guard: bool
    must_choose: bool
    gateway_pid: int | None
    needed_bytes: int
    free_bytes: int
    estimated_s: float
    sampled_entries: int
    created_ms: int
    digest: str

    @property
    def counts(self) -> Mapping[Action, int]:
        """How many sessions there are of each action."""
        found: dict[Action, int] = {"move": 0, "equal": 0, "differs": 0, "blocked": 0}
        for session in self.sessions:
            found[session.action] += 1
        return found

    @property
    def has_room(self) -> bool:
        """Whether the disk has what the run needs."""
        return self.free_bytes >= self.needed_bytes


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a run did, read back from the disk. ``sentence`` comes first on every page.

    ``source_kept`` and ``directory`` are names in the store's folder; ``exclusive_s`` is how long
    writers were kept out. ``taken`` counts sessions written, ``verified`` those read back and
    equal.
    ``error`` and ``hint`` are filled where the outcome is ``failed``.
    """

    agent_id: str | None
    store_path: Path
    outcome: Outcome
    sentence: str
    run_id: str
    taken: int
    equal: int
    verified: int
    blocked: tuple[PlannedSession, ...]
    findings: tuple[Finding, ...]
    source_kept: str | None
    source_sha256: str | None
    guard: bool
    started_ms: int
    took_s: float
    exclusive_s: float
    restaged: int
    """Sessions that writers changed while they were staged, and that were staged again."""
    error: str = ""
    hint: str = ""


RollbackAction = Literal["same", "written since", "new since", "deleted since"]


@dataclass(frozen=True, slots=True)
class RolledBack:
    """One session that a rollback would move back, against what the migration took over."""

    key: str
    action: RollbackAction
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """What undoing a migration would do: every session as it is now goes into ``sessions.json``.

    ``etags`` are those of all sessions when it was planned: where one of them moved since, the run
    is refused (StalePlanError).
    """

    paths: StorePaths
    possible: bool
    sentence: str
    sessions: tuple[RolledBack, ...]
    findings: tuple[Finding, ...]
    etags: Mapping[str, str]
    set_aside_as: str
    needed_bytes: int
    free_bytes: int
    created_ms: int
    digest: str


@dataclass(frozen=True, slots=True)
class RollbackReport:
    """What a rollback did. ``directory_kept`` is the name that ``sessions.d`` has now."""

    agent_id: str | None
    store_path: Path
    sentence: str
    sessions: int
    sha256: str
    directory_kept: str
    findings: tuple[Finding, ...]
    took_s: float
    exclusive_s: float


@dataclass(frozen=True, slots=True)
class ExportReport:
    """A ``sessions.json`` that was written for programs of the JSON era."""

    path: Path
    sessions: int
    size_bytes: int
    sha256: str
    findings: tuple[Finding, ...]
