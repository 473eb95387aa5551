"""The words that labels of metrics are made of, and the edges of histograms (demand.md E1).

All lists are fixed: an unbounded label fills the disk of whoever scrapes.
"""

from __future__ import annotations

from sessionstore.metrics import PHASES

SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1200.0),
)
"""Edges of waits, holds, writes and reads (demand.md E1): the alert limits are among them."""
BYTES = tuple(float(4**power) for power in range(4, 14))
"""Edges of bytes: 256 B to 64 MiB, each four times the one before."""

OTHER = "other"
OPERATIONS = ("update", "patch", "put", "create", "delete", "reset", "route", "update_all", "save")
RARE_OPERATIONS = ("adopt", "backup", "clear-lock", "migrate", "rollback", "restore")
"""They are not there from the start but from the first time on."""
READS = ("get", "keys", "load")
WRITE_OUTCOMES = ("written", "unchanged", "removed", "conflict", "failed", "timeout")
HELD = "held"
"""The outcome of an exclusive hold that is no update."""
CANCELLED = "cancelled"
WAITS = ("acquired", "timeout", "cancelled")
HOLDS = ("released", "reclaimed", "lost")
SCOPES = ("session", "store")
LAYOUTS = ("directory", "legacy")
REASONS = ("owner_gone", "pid_reused", "expired", "operator")
RESOLUTIONS = ("merged", "refused", "retried")
VERDICTS = (
    *("alive", "over-limit", "owner-gone", "pid-reused"),
    *("other-host", "unreadable", "leftover", "unexplained"),
)
PHASE_LABELS = {name: "serialize" if name == "serialise" else name for name in PHASES}
MIGRATION_STATES = ("pending", "moved", "equal", "blocked")
FAILURES = {
    "login": "password",
    "login.sso": "sso",
    "token": "token",
    "metrics": "metrics_token",
    "setup": "setup_link",
    "invite": "invite_link",
}
"""Why a sign-in failed, by the audit's word for what was tried."""
