"""What a JSON-era or later OpenClaw would make of a session, said before it gets the file.

Sources: openclaw-interop, "Gotchas", "Malformed input" and "What follows for us" 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..entries import Entry, decode
from ..errors import Finding
from ..paths import StorePaths
from ..transcripts import find_transcript

_EXACT = 1 << 53
_LONG = re.compile(rb"[0-9]{16}")  # as long as 2^53: only then is it worth walking through
_LONGEST_ID = 128
_HUGE_MS = 8_640_000_000_000_000  # the end of JavaScript's time
_MOST = 50  # findings of one rule; the rest is counted


def cautions(paths: StorePaths, sessions: Mapping[str, bytes]) -> list[Finding]:
    """Findings for all sessions, at most 50 of each rule and then one that counts the rest.

    Cost: one parse, and a look at each named transcript.
    """
    by_rule: dict[str, list[Finding]] = {}
    for key, data in sessions.items():
        for finding in _of(paths, key, decode(data), has_long=_LONG.search(data) is not None):
            by_rule.setdefault(finding.rule, []).append(finding)
    found: list[Finding] = []
    for rule, each in sorted(by_rule.items()):
        found += each[:_MOST]
        if len(each) > _MOST:
            more = f"{len(each) - _MOST:,} more sessions: {rule}"
            found.append(Finding(rule, "warning", None, None, more, each[0].hint))
    return found


def _of(paths: StorePaths, key: str, entry: Entry, *, has_long: bool) -> Iterator[Finding]:
    if has_long and any(_is_inexact(value) for value in _values(entry)):
        yield _finding(
            "big-integer",
            key,
            "holds an integer beyond 2^53, which OpenClaw rounds at its next write",
            "keep such numbers as text",
        )
    session_id = entry.get("sessionId")
    if isinstance(session_id, str) and _is_refused_id(session_id):
        yield _finding(
            "refused-id",
            key,
            "has a sessionId that OpenClaw 2026.9 refuses, and with it the whole import",
            "reset the session, or remove it, before that import",
        )
    if _is_odd_time(entry.get("updatedAt")):
        yield _finding(
            "odd-time",
            key,
            "has an updatedAt that is no whole number of milliseconds: OpenClaw 2026.9 refuses "
            "the whole import, earlier ones take it for 0 and prune the session",
            "edit updatedAt",
        )
    if isinstance(entry.get("sessionFile"), str):
        refused = find_transcript(paths, key, entry).refused
        if refused:
            yield _finding(
                "transcript-elsewhere",
                key,
                "names a transcript that is not there"
                if refused == "missing"
                else "names a transcript that is not of this store",
                "OpenClaw 2026.3's doctor takes transcripts that no session names for orphans",
            )


def _is_inexact(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)
    else:
        yield value


def _is_refused_id(session_id: str) -> bool:
    odd = "/" in session_id or ":" in session_id or ".." in session_id
    return odd or len(session_id) > _LONGEST_ID


def _is_odd_time(value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return value != value or not 0 <= value <= _HUGE_MS or float(value) != int(value)


def _finding(rule: str, key: str, message: str, hint: str) -> Finding:
    return Finding(rule, "warning", key, None, f"{key!r} {message}", hint)
