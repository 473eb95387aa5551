"""The verdict on a lock file: whether its owner lives, with what speaks for and against it.

A lock file names a number, perhaps a start time, never a host: OpenClaw expects owner and reader
in one pid namespace. Here nobody is declared dead that this machine cannot see. The program's
name or title proves nothing and is not looked at (demand.md A1.3). OpenClaw's own reasons for
calling a lock stale (openclaw-format §7.2) are named, and decide nothing by themselves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from .heldlock import Verdict
from .identity import is_beyond_uptime
from .legacypayload import UNREADABLE_GRACE_S, LegacyFile, owner_runs
from .mounts import LOCAL
from .neighbours import ELSEWHERE, Neighbours
from .shown import age_s, duration, rough_age

FileScope = Literal["legacy", "transcript"]

LEGACY_LIMIT_S = 30.0
"""OpenClaw takes ``sessions.json.lock`` away from anybody after this time."""
TRANSCRIPT_LIMIT_S = 300.0
TRANSCRIPT_STALE_S = 1800.0
_UNSEEN = (
    "This program sees only the processes of its own container or user: a process of another "
    "container that shares this directory has another number there and cannot be seen here."
)
_MOST_TORN = 4096


@dataclass(frozen=True, slots=True)
class Judgement:
    """``pid`` is the owner's number as this process sees it, 0 for nobody that is seen."""

    verdict: Verdict
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    limit_s: float | None
    pid: int = 0
    container: str = ""


def judge_file(found: LegacyFile, scope: FileScope, neighbours: Neighbours) -> Judgement:
    """The verdict on a lock file. Reads the process table as far as the verdict needs it."""
    limit_s = _limit(found, scope)
    age = _age(found)
    if found.pid is None:
        return _ownerless(found, age, limit_s, neighbours)
    told, sentence = owner_runs(found.pid, found.start)
    if told == "alive":
        container = neighbours.container_of(found.pid)
        return _living(found, scope, (sentence,), found.pid, container)
    kind = neighbours.file_system_of(found.path.parent)
    if kind not in LOCAL:
        return Judgement("other-host", (sentence, _held_for(age)), (_shared(kind),), limit_s)
    inside = neighbours.inside(found.pid, found.start)
    if inside:
        container = neighbours.container_of(inside[0]) or ELSEWHERE
        return _living(found, scope, _inside(found, inside[0], container), inside[0], container)
    verdict: Verdict = "pid-reused" if told == "pid-reused" else "owner-gone"
    evidence = (
        sentence,
        *_of_boot(found, neighbours),
        _held_for(age),
        *_reasons(found, scope, dead=told),
    )
    return Judgement(verdict, evidence, _doubts(found, neighbours), limit_s)


def may_take_over(found: LegacyFile) -> bool:
    """Whether ``sessions.json.lock`` may be taken: its owner is proven gone, or cannot be judged.

    Of an owner that runs, here or in a container that can be seen, never: it may be in the middle
    of its write. One that nothing here can judge is waited for as long as OpenClaw waits for
    anybody (30 s, by the file's word and by its time); else a crash inside a container would lock
    everybody out for good. A file without a readable owner is the trace of a crash between
    creating and writing it; it counts as long.
    """
    if found.pid is None:
        return time.time() - found.modified_s > UNREADABLE_GRACE_S
    if owner_runs(found.pid, found.start)[0] == "alive":
        return False
    judged = judge_file(found, "legacy", Neighbours([found]))
    if judged.verdict in ("owner-gone", "pid-reused") and not judged.against:
        return True
    if judged.verdict in ("alive", "over-limit"):
        return False
    return min(_age(found), age_s(found.modified_s)) > LEGACY_LIMIT_S


def _living(
    found: LegacyFile, scope: FileScope, known: tuple[str, ...], pid: int, container: str
) -> Judgement:
    limit_s, age = _limit(found, scope), _age(found)
    evidence = [*known, _held_for(age)]
    verdict: Verdict = "alive"
    if age > limit_s:
        verdict = "over-limit"
        evidence.append(_over(found, scope, limit_s))
    evidence += _reasons(found, scope, dead="")
    against: tuple[str, ...] = ()
    if found.start is None:
        against = ("Without a start time, another process may have the number by now.",)
    return Judgement(verdict, tuple(evidence), against, limit_s, pid, container)


def _ownerless(found: LegacyFile, age: float, limit_s: float, neighbours: Neighbours) -> Judgement:
    """A file that names no process. Left behind only if it is torn, old and nobody has it open.

    OpenClaw creates the file and then writes it, and keeps it open for as long as it holds the
    lock: who died in between left nothing or the beginning of an object.
    """
    evidence = ["The lock file does not name a process."]
    if not found.is_regular:
        return Judgement("unreadable", (*evidence, "It is not a regular file."), (), None)
    evidence.append(_held_for(age))
    if not _is_torn(found):
        evidence.append("What it says is no OpenClaw's: another program's owner cannot be told.")
        return Judgement("unreadable", tuple(evidence), (), None)
    evidence.append("It is empty or ends half-way, as after a crash while it was written.")
    if time.time() - found.modified_s <= UNREADABLE_GRACE_S:
        evidence.append("It is younger than 30 s: its owner may be about to write it.")
        return Judgement("unreadable", tuple(evidence), (), limit_s)
    kind = neighbours.file_system_of(found.path.parent)
    if kind not in LOCAL:
        return Judgement("other-host", tuple(evidence), (_shared(kind),), limit_s)
    openers = neighbours.openers(found)
    if openers:
        evidence.append(f"Process {openers[0]} has it open.")
        return Judgement("unreadable", tuple(evidence), (), limit_s, openers[0])
    if neighbours.may_be_open_unseen(found):
        evidence.append("Processes of its user are there that we may not look into.")
        return Judgement("unreadable", tuple(evidence), (), limit_s)
    evidence.append("No process that its user runs here has it open.")
    return Judgement("leftover", tuple(evidence), _doubts(found, neighbours), limit_s)


def _is_torn(found: LegacyFile) -> bool:
    if len(found.content) > _MOST_TORN:
        return False
    content = found.content.strip(b" \t\r\n\0")
    return not content or (content.startswith(b"{") and not content.endswith(b"}"))


def _doubts(found: LegacyFile, neighbours: Neighbours) -> tuple[str, ...]:
    """What this process cannot see, so that a person has to confirm it."""
    if neighbours.sees_machine or (found.start is not None and is_beyond_uptime(found.start)):
        return ()
    if neighbours.own.pid_namespace == 0:
        return ("This system does not say whether other containers share the directory.",)
    return (_UNSEEN,)


def _shared(kind: str) -> str:
    name = kind or "of an unknown kind"
    return (
        f"The file system ({name}) may be shared with other machines, and the lock file names no "
        "host: its owner may run on another one."
    )


def _inside(found: LegacyFile, pid: int, container: str) -> tuple[str, ...]:
    sentence = f"Process {pid} of {_named(container)} has the number {found.pid} there"
    if found.start is None:
        return (f"{sentence}; its start time cannot be compared.",)
    return (f"{sentence} and started when the lock file says.",)


def _named(container: str) -> str:
    return container if container == ELSEWHERE else f"container {container}"


def _of_boot(found: LegacyFile, neighbours: Neighbours) -> tuple[str, ...]:
    if found.start is not None and is_beyond_uptime(found.start):
        return ("This machine has not run as long as that start time: it was an earlier one.",)
    booted = neighbours.booted_at_ms
    if booted and found.since_ms < booted and found.modified_s * 1000 < booted:
        return ("The lock was taken before this machine last started.",)
    return ()


def _reasons(found: LegacyFile, scope: FileScope, *, dead: str) -> list[str]:
    """OpenClaw's own reasons to call the lock stale, in its words."""
    if scope == "legacy":
        if not dead and _age(found) > LEGACY_LIMIT_S:
            return ["OpenClaw takes a lock of over 30 s away even from a living owner."]
        return []
    age = _age(found)
    reasons = {"owner-gone": ["dead-pid"], "pid-reused": ["recycled-pid"]}.get(dead, [])
    if found.created_at_ms is None:
        reasons.append("invalid-createdAt")
    elif age > TRANSCRIPT_STALE_S:
        reasons.append("too-old")
    if found.max_hold_ms is not None and age > found.max_hold_ms / 1000:
        reasons.append("hold-exceeded")
    if not reasons:
        return []
    sentence = f"OpenClaw calls this lock stale ({', '.join(reasons)})"
    return [f"{sentence}." if dead else f"{sentence}; that alone does not prove its owner gone."]


def _limit(found: LegacyFile, scope: FileScope) -> float:
    if scope == "legacy":
        return LEGACY_LIMIT_S
    return TRANSCRIPT_LIMIT_S if found.max_hold_ms is None else found.max_hold_ms / 1000


def _over(found: LegacyFile, scope: FileScope, limit_s: float) -> str:
    if scope == "legacy":
        return f"That is over the {limit_s:.0f} s after which OpenClaw calls it stale."
    if found.max_hold_ms is None:
        return f"That is over the {limit_s:.0f} s for which OpenClaw keeps a transcript's lock."
    return f"That is over the {duration(limit_s)} that its owner allowed itself (maxHoldMs)."


def _age(found: LegacyFile) -> float:
    return age_s(found.since_ms / 1000)


def _held_for(age: float) -> str:
    return f"The lock was taken {rough_age(age)} ago."
