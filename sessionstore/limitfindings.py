"""Whether limits of locks can work together, in words and numbers. Computes only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .errors import Finding
from .locklimits import LimitKind, LockLimit

_NAMES = {
    "session": "a session's lock",
    "legacy": "sessions.json.lock",
    "transcript": "a transcript's lock",
}
_ENVIRONMENT = (
    "OPENCLAW_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS, …_STALE_MS and …_MAX_HOLD_MS in the gateway's "
    "environment would count instead, and cannot be seen from here"
)


def limit_findings(limits: Iterable[LockLimit]) -> list[Finding]:
    """What cannot work in these limits: each value that is none, then each pair that clashes.

    Rules: ``lock-limit-unusable``, ``holder-outlasts-waiters``, ``stale-after-waiters``,
    ``stale-before-holder``. Limits that fit give none.
    """
    groups: dict[tuple[str, str], dict[LimitKind, LockLimit]] = {}
    for limit in limits:
        groups.setdefault((limit.lock, limit.releases), {})[limit.kind] = limit
    found: dict[str, Finding] = {}
    for group in groups.values():
        for finding in (*_unusable(group), *_clashes(group)):
            # One unreadable config spoils several limits: it is told once.
            found.setdefault(finding.message, finding)
    return list(found.values())


def _unusable(group: dict[LimitKind, LockLimit]) -> Iterator[Finding]:
    for limit in group.values():
        if limit.problem:
            hint = "correct it; what the gateway makes of it cannot be told from here"
            yield Finding("lock-limit-unusable", "error", None, limit.path, limit.problem, hint)


def _clashes(group: dict[LimitKind, LockLimit]) -> Iterator[Finding]:
    wait, hold, stale = (_value(group, kind) for kind in ("wait", "hold", "stale"))
    name = _name(group)
    if wait is not None and hold is not None and hold > wait:
        yield _finding(
            group,
            "holder-outlasts-waiters",
            f"{name} may be kept for {hold:g} s, but who waits for it gives up after {wait:g} s: "
            "one slow run fails others that would have got their turn",
            "let waiters wait longer than a holder may hold, or holders hold shorter",
        )
    if wait is not None and stale is not None and stale > wait:
        yield _finding(
            group,
            "stale-after-waiters",
            f"{name} counts as left behind after {stale:g} s, but who waits for it gives up after "
            f"{wait:g} s: no waiter is there any more when that rule would help",
            "a lock whose owner is proven gone can be cleared by hand",
        )
    if hold is not None and stale is not None and stale < hold:
        yield _finding(
            group,
            "stale-before-holder",
            f"{name} counts as left behind after {stale:g} s, but a living holder may keep it for "
            f"{hold:g} s: it can be taken away in the middle of a write",
            "let the time until a lock counts as left behind be longer than a holder may hold",
        )


def _finding(group: dict[LimitKind, LockLimit], rule: str, message: str, hint: str) -> Finding:
    path = next((limit.path for limit in group.values() if limit.path), None)
    is_configurable = any("writeLock" in limit.source for limit in group.values())
    hint = f"{hint}; {_ENVIRONMENT}" if is_configurable else hint
    return Finding(rule, "warning", None, path, message, hint)


def _name(group: dict[LimitKind, LockLimit]) -> str:
    limit = next(iter(group.values()))
    of = f" of OpenClaw {limit.releases}" if limit.releases else ""
    return f"{_NAMES[limit.lock]}{of}"


def _value(group: dict[LimitKind, LockLimit], kind: LimitKind) -> float | None:
    limit = group.get(kind)
    return None if limit is None else limit.value_s
