"""Earlier incarnations of a session: what its resets ended."""

from __future__ import annotations

from dataclasses import dataclass

from sessionstore.entries import redact
from sessionstore.errors import SessionStoreError
from sessionstore.history import Incarnation, incarnations
from sessionstore.layout import detect_layout
from sessionstore.paths import StorePaths
from sessionstore.sqlitestore import SqliteStore

from .fleet import below_state
from .problems import Problem, problem_of
from .tree import shown


@dataclass(frozen=True, slots=True)
class Life:
    """One earlier incarnation, masked."""

    session_id: str
    label: str
    transcript: str
    started_at_ms: int | None
    updated_at_ms: int | None
    ended_at_ms: int


@dataclass(frozen=True, slots=True)
class Lives:
    """All of them, newest first; ``problem`` says why they could not be read."""

    rows: tuple[Life, ...] = ()
    problem: Problem | None = None


def lives_of(paths: StorePaths, key: str, *, current_id: object) -> Lives:
    """Read the history of a key. Opens one file or row; runs in the reader's thread."""
    try:
        if detect_layout(paths) == "sqlite":
            found = [window.as_incarnation() for window in SqliteStore(paths).history(key)]
        else:
            found = incarnations(paths, key)
    except SessionStoreError as error:
        return Lives(problem=problem_of(error))
    # A reset that was killed half-way has noted the incarnation that still lives.
    past = [life for life in found if life.session_id is None or life.session_id != current_id]
    return Lives(tuple(_life(life) for life in reversed(past)))


def _life(life: Incarnation) -> Life:
    return Life(
        session_id=shown(life.session_id or "")[:200],
        label=shown(life.label or "")[:512],
        transcript="" if life.transcript is None else shown(below_state(redact(life.transcript))),
        started_at_ms=life.started_at_ms,
        updated_at_ms=life.updated_at_ms,
        ended_at_ms=life.ended_at_ms,
    )
