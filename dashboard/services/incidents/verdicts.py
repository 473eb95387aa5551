"""The locks of some stores as they look now, masked, in a form that can be kept.

A lock that is over leaves no trace on disk: what was seen when an incident was marked is all
that can be told of it later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sessionstore.locks import HeldLock, held_locks
from sessionstore.paths import StorePaths

from ..fleet import page_budget_s
from ..locks_words import kind_word, word_of
from ..problems import Problem
from ..readers import Reader, read_all
from ..refs import digest
from ..tree import shown

MOST_LOCKS = 200
MOST_WAITERS = 50
MOST_SENTENCES = 12
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class SeenWaiter:
    """Who waited for a lock."""

    host: str
    pid: int
    program: str
    operation: str
    waited_s: float
    limit_s: float | None


@dataclass(frozen=True, slots=True)
class SeenLock:
    """A lock as it was seen. Texts are masked. ``ref`` is the whole id of the session, or empty.

    ``more_waiters`` counts those that are not kept. ``limit_s``: how long it may be held.
    """

    store_id: str
    scope: str
    key: str
    ref: str
    host: str
    pid: int
    program: str
    operation: str
    since_ms: int
    held_s: float
    verdict: str
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    limit_s: float | None
    waiters: tuple[SeenWaiter, ...]
    more_waiters: int

    @property
    def word(self) -> str:
        """What the verdict is called."""
        return word_of(self.verdict)[0]

    @property
    def state(self) -> str:
        """The state that gives the verdict its shape."""
        return word_of(self.verdict)[1]

    @property
    def kind(self) -> str:
        """What kind of lock it is."""
        return kind_word(self.scope)

    @property
    def held_ms(self) -> float:
        """For how long it had been held."""
        return self.held_s * 1000

    @property
    def waiting(self) -> int:
        """How many waited for it."""
        return len(self.waiters) + self.more_waiters


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at locks. ``unread`` are names of stores that did not answer in time."""

    locks: tuple[SeenLock, ...] = ()
    unread: tuple[str, ...] = ()
    left_out: int = 0

    def plain(self) -> dict[str, Any]:
        """As JSON, for keeping."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Seen:
        """What :meth:`plain` gave."""
        locks = tuple(_lock_of(lock) for lock in plain.get("locks", ()))
        return cls(locks, tuple(plain.get("unread", ())), plain.get("left_out", 0))


def look(readers: Sequence[Reader]) -> Seen:
    """Look at the locks of these stores, within a page's time; the longest held are kept."""
    answers = read_all(readers, _locks, budget_s=page_budget_s())
    names = {reader.id: reader.name for reader in readers}
    unread = [names[ident] for ident, told in answers.items() if isinstance(told, Problem)]
    held = [
        (ident, lock)
        for ident, locks in answers.items()
        if not isinstance(locks, Problem)
        for lock in locks
    ]
    held.sort(key=lambda pair: pair[1].since_ms)
    kept = tuple(_seen(*pair) for pair in held[:MOST_LOCKS])
    return Seen(kept, tuple(unread), len(held) - len(kept))


def _locks(paths: StorePaths) -> list[HeldLock]:
    """What the Locks page looks at: kernel locks, and the lock files of store and transcripts."""
    return held_locks(paths.sidecar, store_path=paths.store_path, transcripts=True)


def _seen(store_id: str, lock: HeldLock) -> SeenLock:
    waiters = sorted(lock.waiters, key=lambda waiter: -waiter.waited_s)
    return SeenLock(
        store_id=store_id,
        scope=lock.scope,
        key=_text(lock.key or ""),
        ref=digest(lock.key) if lock.key else "",
        host=_text(lock.host),
        pid=lock.pid,
        program=_text(lock.program),
        operation=_text(lock.operation),
        since_ms=lock.since_ms,
        held_s=_finite(lock.held_s) or 0.0,
        verdict=lock.verdict,
        evidence=tuple(map(_text, lock.evidence[:MOST_SENTENCES])),
        against=tuple(map(_text, lock.against[:MOST_SENTENCES])),
        limit_s=None if lock.limit_s is None else _finite(lock.limit_s),
        waiters=tuple(
            SeenWaiter(
                host=_text(waiter.host),
                pid=waiter.pid,
                program=_text(waiter.program),
                operation=_text(waiter.operation),
                waited_s=_finite(waiter.waited_s) or 0.0,
                limit_s=_finite(waiter.timeout_s),
            )
            for waiter in waiters[:MOST_WAITERS]
        ),
        more_waiters=max(len(waiters) - MOST_WAITERS, 0),
    )


def _lock_of(plain: dict[str, Any]) -> SeenLock:
    waiters = tuple(SeenWaiter(**waiter) for waiter in plain["waiters"])
    texts = {name: tuple(plain[name]) for name in ("evidence", "against")}
    return SeenLock(**{**plain, **texts, "waiters": waiters})


def _finite(seconds: float) -> float | None:
    """Seconds to the millisecond; None for no limit, or where a table of others says nonsense."""
    return round(seconds, 3) if math.isfinite(seconds) else None


def _text(text: str) -> str:
    return shown(text)[:_LONGEST]
