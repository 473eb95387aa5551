"""What the held-lock view shows of one lock: who, since when, and how we know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["session", "store", "legacy", "transcript"]
Verdict = Literal[
    "alive",
    "over-limit",
    "owner-gone",
    "pid-reused",
    "other-host",
    "unreadable",
    "leftover",
    "unexplained",
]


@dataclass(frozen=True, slots=True)
class Waiter:
    """A call that waits for a lock."""

    host: str
    pid: int
    program: str
    operation: str
    since_ms: int
    waited_s: float
    timeout_s: float
    container: str = ""

    @property
    def left_s(self) -> float:
        """Seconds until it gives up; negative once it should have."""
        return self.timeout_s - self.waited_s


@dataclass(frozen=True, slots=True)
class HeldLock:
    """One lock that is held. ``key`` is None for the store and for an unknown session.

    ``evidence`` speaks for the verdict, ``against`` against it. ``limit_s`` is how long its holder
    may keep it, by its own word or by its program's rules; None where nothing says so. ``path`` is
    the file that it is on. ``id`` names this holding of it, and no later one, in addresses.
    ``container`` is the holder's, where known. All texts are bounded and free of control
    characters but ``key``, which is as published.
    """

    key: str | None
    scope: Scope
    host: str
    pid: int
    started_at_ms: int
    program: str
    operation: str
    since_ms: int
    held_s: float
    waiters: tuple[Waiter, ...]
    verdict: Verdict
    evidence: tuple[str, ...]
    against: tuple[str, ...] = ()
    limit_s: float | None = None
    path: str = ""
    id: str = ""
    container: str = ""

    @property
    def is_proven_dead(self) -> bool:
        """Whether it may be cleared: a lock file whose owner is proven to be gone."""
        is_file = self.scope in ("legacy", "transcript")
        return is_file and self.verdict in ("owner-gone", "pid-reused", "leftover")
