"""The timeout sanity check: how long waiters wait beside how long holders hold, in words.

Two sources, side by side: what configuration and the programs' own defaults say, and what those
who hold and wait right now have said of themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.entries import redact
from sessionstore.errors import Finding
from sessionstore.limitfindings import limit_findings
from sessionstore.locklimits import LockLimit, lock_limits
from sessionstore.locks import HeldLock, Waiter

from .amounts import duration
from .check import Check
from .check_judging import SEVERITY
from .fleet import fleet, page_budget_s
from .problems import Problem
from .stores import StoreList, StoreRow
from .tree import shown


@dataclass(frozen=True, slots=True)
class LimitGroup:
    """Limits of one kind of lock, in seconds; None where there is none, or none is known.

    ``agent`` is empty for what configuration says, which counts for all. ``state`` is bad for
    living locks whose limits do not fit, watch for configuration, unknown where nobody can tell
    whether the limits count here. ``brief`` says each of ``findings`` without its numbers.
    """

    agent: str
    lock: str
    wait_s: float | None
    hold_s: float | None
    stale_s: float | None
    sources: tuple[str, ...]
    state: str = "ok"
    findings: tuple[str, ...] = ()
    brief: tuple[str, ...] = ()
    release: str = ""

    @property
    def lengths(self) -> tuple[str, str, str]:
        """Waiter, holder and staleness in words."""
        limits = (self.wait_s, self.hold_s, self.stale_s)
        one, two, three = ("–" if limit is None else duration(limit * 1000) for limit in limits)
        return one, two, three


@dataclass(frozen=True, slots=True)
class Sanity:
    """All limits next to each other; those that do not fit come first."""

    groups: tuple[LimitGroup, ...]

    @property
    def is_release_known(self) -> bool:
        """Whether one release at most is meant: of several, nobody knows which limits count."""
        return len({group.release for group in self.groups if group.release}) <= 1

    @property
    def counting(self) -> tuple[LimitGroup, ...]:
        """Those that count here for sure."""
        is_sure = self.is_release_known
        return tuple(one for one in self.groups if is_sure or not one.release)

    @property
    def possible(self) -> tuple[LimitGroup, ...]:
        """Those of which only the right release's count, and nobody knows which that is."""
        return () if self.is_release_known else tuple(one for one in self.groups if one.release)

    @property
    def wrong(self) -> tuple[LimitGroup, ...]:
        """Those that count for sure and do not fit."""
        return tuple(one for one in self.counting if one.findings)


def sanity_of(stores: StoreList) -> Sanity:
    """Every limit that is known now, and what is wrong with them together."""
    by_lock: dict[tuple[str, str], list[LockLimit]] = {}
    for limit in _configured(stores):
        by_lock.setdefault((limit.lock, limit.releases), []).append(limit)
    is_sure = len({releases for _lock, releases in by_lock if releases}) <= 1
    configured = [_group(limits, is_sure=is_sure) for limits in by_lock.values()]
    groups = [*configured, *filter(None, map(_living, stores.opened))]
    return Sanity(tuple(sorted(groups, key=lambda group: -SEVERITY[group.state])))


def _configured(stores: StoreList) -> tuple[LockLimit, ...]:
    """What configuration says, read in the thread of a store; none where its disk hangs."""
    readers = [reader for row in stores.opened if (reader := fleet().known(row.id)) is not None]
    state_dir: Path | None = settings.STATE_DIR
    if not readers or state_dir is None:
        return ()
    read = readers[0].read(lambda _paths: lock_limits(state_dir), budget_s=page_budget_s())
    return () if isinstance(read, Problem) else read


def _group(limits: list[LockLimit], *, is_sure: bool) -> LimitGroup:
    names = {
        "session": _("a session’s lock, by this library"),
        "legacy": _("sessions.json.lock"),
        "transcript": _("a transcript’s lock"),
    }
    lock = names[limits[0].lock]
    if limits[0].releases:
        values = {"lock": lock, "releases": limits[0].releases}
        lock = _("%(lock)s, OpenClaw %(releases)s") % values
    values_s = {limit.kind: limit.value_s for limit in limits}
    found = limit_findings(limits)
    state = "watch" if found else "ok"
    counts = is_sure or not limits[0].releases
    return LimitGroup(
        agent="",
        lock=lock,
        wait_s=values_s.get("wait"),
        hold_s=values_s.get("hold"),
        stale_s=values_s.get("stale"),
        sources=tuple(dict.fromkeys(shown(limit.source) for limit in limits)),
        state=state if counts else "unknown",
        findings=tuple(redact(finding.message) for finding in found),
        brief=tuple(map(_brief, found)),
        release=limits[0].releases,
    )


def _brief(finding: Finding) -> str:
    """A finding in few words, for a row that has the numbers; in full where it has none."""
    words = {
        "holder-outlasts-waiters": _("Waiters give up before a holder must let go."),
        "stale-after-waiters": _("Waiters give up before it counts as left behind."),
        "stale-before-holder": _("It may be taken from a living holder."),
    }
    return words.get(finding.rule) or str(redact(finding.message))


def _living(store: StoreRow) -> LimitGroup | None:
    """Those who wait and hold right now: the shortest wait beside the longest hold.

    They clash only on the same lock: who waits for another one waits for another holder.
    """
    ours = [lock for lock in store.held if lock.scope != "transcript" and not lock.is_proven_dead]
    waits = [waiter.timeout_s for lock in ours for waiter in lock.waiters]
    holds = [lock.limit_s for lock in ours if lock.limit_s is not None]
    if not waits and not holds:
        return None
    clashes = [
        (lock, waiter)
        for lock in ours
        for waiter in lock.waiters
        if lock.limit_s is not None and lock.limit_s > waiter.timeout_s
    ]
    sentences = tuple(_clash(lock, waiter) for lock, waiter in clashes[:1])
    wait_s = min(waits, default=math.inf)
    return LimitGroup(
        agent=store.name,
        lock=_("locks that are held or awaited now"),
        wait_s=wait_s if math.isfinite(wait_s) else None,
        hold_s=max(holds, default=None),
        stale_s=None,
        sources=(_("the records of who holds and waits"),),
        state="bad" if sentences else "ok",
        findings=sentences,
        brief=sentences,
    )


def _clash(lock: HeldLock, waiter: Waiter) -> str:
    return _(
        "%(holder)s may keep a lock for %(most)s, but %(waiter)s gives up after %(least)s."
    ) % {
        "holder": shown(lock.program) or _("an unknown program"),
        "most": duration((lock.limit_s or 0.0) * 1000),
        "waiter": shown(waiter.program) or _("an unknown program"),
        "least": duration(waiter.timeout_s * 1000),
    }


def limits_check(stores: StoreList) -> Iterator[Check]:
    """One sentence on whether the limits fit each other; grey while none are known."""
    if not stores.opened:
        return
    seen = sanity_of(stores)
    state, detail = "ok", ""
    if wrong := seen.wrong:
        state, detail = wrong[0].state, wrong[0].findings[0]
        if wrong[0].agent:
            detail = f"{wrong[0].agent}: {detail}"
        sentence = ngettext(
            "For %(n)d kind of lock, limits of waiters and holders do not fit each other.",
            "For %(n)d kinds of locks, limits of waiters and holders do not fit each other.",
            len(wrong),
        ) % {"n": len(wrong)}
    elif not seen.is_release_known:
        state, sentence = "unknown", _("Which OpenClaw release writes here is not known.")
        detail = _("The limits of all releases that use lock files are listed; none is judged.")
    elif any(group.wait_s is not None and group.hold_s is not None for group in seen.groups):
        sentence = _("No holder may keep a lock for longer than its waiters wait.")
    else:
        state, sentence = "unknown", _("No limits of holders and waiters are known to compare.")
    yield Check("limits", state, sentence, detail, "checks", "", stores.read_at_ms)
