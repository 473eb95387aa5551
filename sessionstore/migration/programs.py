"""Which programs could use a store after a migration, and what each would do.

No released OpenClaw reads ``sessions.d``. What its releases do with a store that has nothing
else was observed by running them (openclaw-interop, "A directory with only sessions.d/", whose
last section binds). A plan shows these programs before anything is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import Finding
from ..paths import StorePaths
from .shapes import Program
from .traces import Era, Traces, find_traces

LOCKED = "OpenClaw up to 2026.4"
UNLOCKED = "OpenClaw 2026.5.2 to 2026.7"
SQLITE = "OpenClaw 2026.8.1 and later"
DIRECTORY_READER = "OpenClaw with pull request 42186 or 42524"
OURS = "programs that import sessionstore"

_ERAS: tuple[tuple[Era, str], ...] = (
    ("locked", LOCKED),
    ("unlocked", UNLOCKED),
    ("sqlite", SQLITE),
)


@dataclass(frozen=True, slots=True)
class Programs:
    """``programs`` that may use the store, most affected first, with the evidence seen here.

    ``must_choose``: an OpenClaw gateway, its config or its traces were found, so a person must
    have said that this store is to be migrated all the same. ``gateway_pid`` is that of a running
    gateway. ``findings`` are warnings where there is evidence, and otherwise only for information.
    """

    programs: tuple[Program, ...]
    must_choose: bool
    gateway_pid: int | None
    findings: tuple[Finding, ...]


def programs_for(paths: StorePaths, *, gateway_lock_dir: Path | None = None) -> Programs:
    """Who may use this store, and what a migration means for each. Changes nothing.

    ``gateway_lock_dir`` stands for the system's directory of temporary files. Costs a few
    directory listings; what cannot be looked at becomes a finding.
    """
    traces = find_traces(paths, gateway_lock_dir=gateway_lock_dir)
    programs = [
        Program(name, False, _consequence(era, traces.transcripts), traces.of(era))
        for era, name in _ERAS
    ]
    programs += [
        Program(DIRECTORY_READER, True, _DIRECTORY_READER, traces.directory_reader),
        Program(OURS, True, _OURS),
    ]
    return Programs(
        programs=tuple(programs),
        must_choose=traces.any,
        gateway_pid=None if traces.gateway is None else traces.gateway.pid,
        findings=tuple(_findings(paths, traces)),
    )


_DIRECTORY_READER = (
    "reads and writes the sessions with ordinary keys. It does not see those below x/, takes no "
    "lock of ours, and its full save deletes files in the directory that it cannot read"
)
_OURS = "read and write every session, wherever the store is, before and after the migration"


def _consequence(era: Era, transcripts: int) -> str:
    """What the releases of one era do, without and with the guard."""
    files = f"the {transcripts} transcripts" if transcripts > 1 else "the transcripts"
    starts_empty = (
        "does not read sessions.d: it shows no sessions, without a warning, and its next message "
        "starts a new sessions.json with only that session. "
    )
    fails_loudly = "With the guard it shows no sessions either, but every write fails loudly"
    if era == "locked":
        return (
            f"{starts_empty}Its doctor --fix (seen with 2026.3.31) takes {files} for orphans and "
            f"renames every one to .jsonl.deleted. {fails_loudly} and its clean-up stops; "
            "doctor --fix still renames transcripts"
        )
    if era == "unlocked":
        return (
            f"{starts_empty}Its sessions cleanup --enforce takes {files} for orphans and deletes "
            f"those older than 30 days. {fails_loudly} and its clean-up stops before it touches "
            "a transcript"
        )
    return (
        "keeps sessions in its own SQLite database and does not read sessions.d. Its doctor --fix "
        f"imports {files} as archived sessions and moves the files away; its sessions cleanup "
        "--enforce deletes those older than 30 days. With the guard doctor --fix refuses the "
        "import; the clean-up still deletes. Its database is only ever read here, never written"
    )


def _findings(paths: StorePaths, traces: Traces) -> Iterator[Finding]:
    store = str(paths.store_path)
    if traces.any:
        yield _openclaw_finding(store, traces)
    if traces.gateway is not None:
        yield Finding(
            "gateway-running",
            "warning",
            None,
            store,
            f"an OpenClaw gateway is running on this state directory (pid {traces.gateway.pid})",
            "it would lose sight of all sessions at once: stop it before migrating, and start "
            "only a program that reads sessions.d afterwards",
        )
    if traces.by_era.get("sqlite"):
        yield Finding(
            "sqlite-store",
            "info",
            None,
            store,
            "OpenClaw 2026.8 or later keeps this agent's sessions in its own database",
            "the database is not read by a migration and never written; the files beside it may "
            "be out of date",
        )
    if traces.state_dir is None:
        yield Finding(
            "no-state-directory",
            "info",
            None,
            store,
            "the store is outside any state directory, so a config of OpenClaw's cannot be found",
            "make sure that no OpenClaw is set to use this store",
        )
    for error in traces.unreadable:
        yield Finding("unreadable", "warning", None, error.path, error.message, error.hint)


def _openclaw_finding(store: str, traces: Traces) -> Finding:
    eras = [name for era, name in _ERAS if traces.by_era.get(era)]
    evidence = [*traces.general, *(one for found in traces.by_era.values() for one in found)]
    seen = "; ".join(dict.fromkeys(evidence))
    which = f" ({', '.join(eras)})" if eras else ""
    return Finding(
        "openclaw-found",
        "warning",
        None,
        store,
        f"OpenClaw{which} may use this store: {seen}. No released OpenClaw reads sessions.d: it "
        "would start an empty store, and its own doctor or clean-up would then take the "
        "transcripts for orphans and rename or delete them",
        "migrate only if OpenClaw will not run on this state directory again, and leave the "
        "guard, with which most releases fail loudly instead; export the store before an "
        "OpenClaw runs on it",
    )
