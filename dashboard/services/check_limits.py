"""The timeout sanity check: how long waiters wait beside how long holders hold, in words.

Two sources, side by side: what configuration and the programs' own defaults say, and what those
who hold and wait right now have said of themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from sessionstore.entries import redact
from sessionstore.limitfindings import limit_findings
from sessionstore.locklimits import LockLimit, lock_limits

from .amounts import duration
from .check import Check
from .fleet import fleet, page_budget_s
from .problems import Problem
from .stores import StoreList, StoreRow
from .tree import shown

WAITER, HOLDER, STALENESS = "waiter", "holder", "staleness"
_KINDS = {"wait": WAITER, "hold": HOLDER, "stale": STALENESS}


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit of a waiter, a holder, or until a lock counts as stale; where it is from.

    ``seconds`` is None where there is no such limit. ``agent`` is empty for what configuration
    says, which counts for all.
    """

    kind: str
    agent: str
    who: str
    seconds: float | None
    source: str

    @property
    def length(self) -> str:
        """The limit in words."""
        return _("none") if self.seconds is None else duration(self.seconds * 1000)

    @property
    def kind_word(self) -> str:
        """What the limit is of."""
        words = {
            WAITER: _("a waiter gives up"),
            HOLDER: _("a holder may keep it"),
            STALENESS: _("it counts as left behind"),
        }
        return words[self.kind]


@dataclass(frozen=True, slots=True)
class LimitFinding:
    """Something that does not fit. ``state`` is bad for living locks, watch for configuration."""

    state: str
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Sanity:
    """All limits next to each other, and what does not fit, worst first."""

    rows: tuple[LimitRow, ...]
    findings: tuple[LimitFinding, ...]


def sanity_of(stores: StoreList) -> Sanity:
    """Every limit that is known now, and what is wrong with them together."""
    configured = _configured(stores)
    living = [row for store in stores.opened for row in _living(store)]
    rows = tuple(dict.fromkeys([*map(_row, configured), *living]))
    return Sanity(rows, (*_clashes(living), *_told(configured)))


def _configured(stores: StoreList) -> tuple[LockLimit, ...]:
    """What configuration says, read in the thread of a store; none where its disk hangs."""
    readers = [reader for row in stores.opened if (reader := fleet().known(row.id)) is not None]
    state_dir: Path | None = settings.STATE_DIR
    if not readers or state_dir is None:
        return ()
    read = readers[0].read(lambda _paths: lock_limits(state_dir), budget_s=page_budget_s())
    return () if isinstance(read, Problem) else read


def _row(limit: LockLimit) -> LimitRow:
    names = {
        "session": _("a session’s lock"),
        "legacy": _("sessions.json.lock"),
        "transcript": _("a transcript’s lock"),
    }
    who = names[limit.lock]
    if limit.releases:
        who = _("%(lock)s of OpenClaw %(releases)s") % {"lock": who, "releases": limit.releases}
    return LimitRow(_KINDS[limit.kind], "", who, limit.value_s, shown(limit.source))


def _told(limits: Iterable[LockLimit]) -> Iterator[LimitFinding]:
    for finding in limit_findings(limits):
        yield LimitFinding("watch", redact(finding.message), redact(finding.hint))


def _living(store: StoreRow) -> Iterator[LimitRow]:
    for lock in store.held:
        if lock.limit_s is not None and math.isfinite(lock.limit_s):
            who = shown(lock.program) or _("unknown program")
            source = _("the record of the lock that it holds now")
            yield LimitRow(HOLDER, store.name, who, lock.limit_s, source)
        for waiter in lock.waiters:
            if math.isfinite(waiter.timeout_s):
                who = shown(waiter.program) or _("unknown program")
                source = _("its live table, while it waits now")
                yield LimitRow(WAITER, store.name, who, waiter.timeout_s, source)


def _clashes(rows: Iterable[LimitRow]) -> Iterator[LimitFinding]:
    """Each living holder that may keep its lock for longer than somebody of its agent waits."""
    by_agent: dict[str, list[LimitRow]] = {}
    for row in rows:
        by_agent.setdefault(row.agent, []).append(row)
    for agent, mine in by_agent.items():
        waits = [row for row in mine if row.kind == WAITER]
        holds = [row for row in mine if row.kind == HOLDER]
        least = min(waits, key=lambda row: row.seconds or 0.0, default=None)
        most = max(holds, key=lambda row: row.seconds or 0.0, default=None)
        if least is None or most is None or (least.seconds or 0.0) >= (most.seconds or 0.0):
            continue
        sentence = _(
            "%(agent)s: %(holder)s may keep a lock for %(most)s, but %(waiter)s gives up after"
            " %(least)s."
        ) % {
            "agent": agent,
            "holder": most.who,
            "most": most.length,
            "waiter": least.who,
            "least": least.length,
        }
        yield LimitFinding("bad", sentence)


def limits_check(stores: StoreList) -> Iterator[Check]:
    """One sentence on whether the limits fit each other; grey while none are known."""
    if not stores.opened:
        return
    seen = sanity_of(stores)
    detail = ""
    if seen.findings:
        state, sentence = seen.findings[0].state, seen.findings[0].sentence
        detail = " ".join(finding.sentence for finding in seen.findings[1:3])
    elif {WAITER, HOLDER} <= {row.kind for row in seen.rows}:
        state, sentence = "ok", _("No holder may keep a lock for longer than its waiters wait.")
    else:
        state, sentence = "unknown", _("No limits of holders and waiters are known to compare.")
    yield Check("limits", state, sentence, detail, "checks", "", stores.read_at_ms)
