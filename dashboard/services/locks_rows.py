"""One held lock as pages and programs read it: masked, in words, with who waits for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore.locks import HeldLock, Waiter

from .amounts import duration
from .fleet import below_state
from .hold_states import hold_state
from .locks_words import is_kernel, kind_word, meaning_of, steps_for, word_of
from .readers import Reader
from .rows import readable
from .thresholds import Limits
from .tree import shown

WATCH_WAIT_S = 1.0
ID_LENGTH = 20
_LONGEST_TEXT = 1_000
_LONGEST_S = 100 * 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class WaiterRow:
    """Who waits. ``percent`` is how much of the time until it gives up has passed."""

    program: str
    host: str
    pid: int
    container: str
    operation: str
    since_ms: int
    waited_s: float
    timeout_s: float
    percent: int
    state: str

    @property
    def words(self) -> str:
        """How long it has waited, and of how much: ``4.1 s of 10.0 s``."""
        return _of(self.waited_s, self.timeout_s)


@dataclass(frozen=True, slots=True)
class LockRow:
    """One lock. ``key`` and ``ref`` are empty where it is not about a known session."""

    id: str
    store_id: str
    store: str
    kind: str
    what: str
    key: str
    ref: str
    path: str
    program: str
    host: str
    pid: int
    started_at_ms: int
    container: str
    operation: str
    since_ms: int
    held_s: float
    limit_s: float | None
    waiters: tuple[WaiterRow, ...]
    verdict: str
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    meaning: str
    steps: tuple[str, ...]
    is_kernel: bool
    is_proven_dead: bool
    limit_state: str

    @property
    def word(self) -> str:
        """The verdict, in words."""
        return word_of(self.verdict)[0]

    @property
    def state(self) -> str:
        """The state that gives the verdict its shape and colour."""
        return word_of(self.verdict)[1]

    @property
    def title(self) -> str:
        """The verdict, at the beginning of a line."""
        return self.word[:1].upper() + self.word[1:]

    @property
    def band(self) -> str:
        """The state of the band that the verdict stands in."""
        return "ok" if self.state == "live" else self.state

    @property
    def kind_word(self) -> str:
        """What kind of lock it is."""
        return kind_word(self.kind)

    @property
    def is_since_known(self) -> bool:
        """Whether anybody said when it was taken; the kernel alone does not."""
        return self.verdict != "unexplained"

    @property
    def held_words(self) -> str:
        """For how long it has been held."""
        return duration(self.held_s * 1000) if self.is_since_known else _("unknown")

    @property
    def limit_percent(self) -> int | None:
        """How much of the time that its holder may keep it has passed; at most 100.

        None where there is no limit, or no holder any more.
        """
        if not self.limit_s or self.is_proven_dead:
            return None
        return min(100, int(100 * self.held_s / self.limit_s))

    @property
    def limit_words(self) -> str:
        """How long it may be held, beside how long it has been."""
        return "" if self.limit_s is None else _of(self.held_s, self.limit_s)

    @property
    def limit_note(self) -> str:
        """Said where those who wait give up before the holder has to let go."""
        shortest = min((waiter.timeout_s for waiter in self.waiters), default=None)
        if self.limit_s is None or shortest is None or self.limit_s <= shortest:
            return ""
        return _("Its holder may keep it for %(limit)s; who waits gives up after %(wait)s.") % {
            "limit": duration(self.limit_s * 1000),
            "wait": duration(shortest * 1000),
        }

    @property
    def must_understand(self) -> str:
        """What whoever clears it has to confirm, empty where nothing speaks against it."""
        if not self.is_proven_dead or not self.against:
            return ""
        return _("I have looked, and know that this is not so here: %s") % " ".join(self.against)

    @property
    def longest(self) -> WaiterRow | None:
        """Who has waited longest."""
        return max(self.waiters, key=lambda waiter: waiter.waited_s, default=None)


def lock_row(reader: Reader, lock: HeldLock, limits: Mapping[str, Limits] | None = None) -> LockRow:
    """A lock of a store, every text of it masked and made harmless.

    ``limits`` spare a query for each lock.
    """
    key = None if lock.scope == "store" else lock.key
    return LockRow(
        id=lock.id,
        store_id=reader.id,
        store=reader.name,
        kind=lock.scope,
        what=_what(lock),
        key="" if key is None else _text(key),
        ref="" if key is None else reader.refs.of(key),
        path=below_state(_text(lock.path)),
        program=_text(lock.program),
        host=_text(lock.host),
        pid=lock.pid,
        started_at_ms=lock.started_at_ms,
        container=_text(lock.container),
        operation=_text(lock.operation),
        since_ms=lock.since_ms,
        held_s=_seconds(lock.held_s),
        limit_s=None if lock.limit_s is None else _seconds(lock.limit_s),
        waiters=tuple(map(_waiter_row, lock.waiters)),
        verdict=lock.verdict,
        evidence=tuple(below_state(_text(line)) for line in lock.evidence),
        against=tuple(below_state(_text(line)) for line in lock.against),
        meaning=meaning_of(lock),
        steps=tuple(steps_for(lock)),
        is_kernel=is_kernel(lock),
        is_proven_dead=lock.is_proven_dead,
        limit_state=hold_state(lock, limits),
    )


def _what(lock: HeldLock) -> str:
    if lock.scope == "store":
        return _("the whole store")
    if lock.key is not None:
        return _text(readable(lock.key))
    if lock.scope == "session":
        return _("a session that nobody names")
    name = lock.path.rpartition("/")[2]
    return _text(name) if name else kind_word(lock.scope)


def _waiter_row(waiter: Waiter) -> WaiterRow:
    waited_s, timeout_s = _seconds(waiter.waited_s), _seconds(waiter.timeout_s)
    share = waited_s / timeout_s if timeout_s > 0 else 1.0
    state = "bad" if share > 0.5 else "watch" if waited_s >= WATCH_WAIT_S else "ok"
    return WaiterRow(
        program=_text(waiter.program),
        host=_text(waiter.host),
        pid=waiter.pid,
        container=_text(waiter.container),
        operation=_text(waiter.operation),
        since_ms=waiter.since_ms,
        waited_s=waited_s,
        timeout_s=timeout_s,
        percent=min(100, int(100 * share)),
        state=state,
    )


def _of(part_s: float, whole_s: float) -> str:
    return _("%(part)s of %(whole)s") % {
        "part": duration(part_s * 1000),
        "whole": duration(whole_s * 1000),
    }


def _text(text: str) -> str:
    return shown(text)[:_LONGEST_TEXT]


def _seconds(value: float) -> float:
    """A length of time from a table that anybody may have written."""
    return min(max(value, 0.0), _LONGEST_S) if math.isfinite(value) else 0.0
