"""Every metric of ``/metrics``: its name, kind, labels and help (demand.md E1).

No session key, path or host name is ever a label: keys hold phone numbers and chat ids. The agent
is the only label that is not of a fixed list (:mod:`.metrics_words`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; a counter's name is without its ``_total``."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str

    @property
    def shown(self) -> str:
        """The name as it stands in an answer."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _of(kind: Kind, name: str, labels: str, text: str) -> Metric:
    return Metric(f"sessionstore_{name}", kind, tuple(labels.split()), text)


_LOCK = "agent scope operation"
_WRITE = "agent layout operation"
_NOT_MEASURED = "Not measured yet: there are no samples, which is not zero."

ALL = (
    _of(
        "histogram",
        "lock_wait_seconds",
        f"{_LOCK} outcome",
        "From asking to getting or giving up; a timeout counts as what was really waited.",
    ),
    _of(
        "histogram", "lock_hold_seconds", f"{_LOCK} outcome", "From getting a lock to releasing it."
    ),
    _of("counter", "lock_acquisitions", f"{_LOCK} outcome", "Locks asked for."),
    _of("counter", "lock_contended", _LOCK, "Locks not got at the first try."),
    _of("counter", "lock_timeouts", _LOCK, "Waits that were given up."),
    _of("counter", "lock_reclaims", "agent scope reason", "Locks taken from someone."),
    _of("gauge", "locks_held", "agent scope verdict", "Locks held now."),
    _of("gauge", "lock_waiters", "agent scope", "Calls that wait for a lock now."),
    _of(
        "gauge",
        "lock_oldest_held_seconds",
        "agent scope",
        "How long the oldest lock is held; 0 where none is.",
    ),
    _of(
        "histogram",
        "write_duration_seconds",
        f"{_WRITE} outcome",
        "Replacing the file, as a whole.",
    ),
    _of(
        "histogram",
        "write_phase_duration_seconds",
        "agent layout phase",
        "Where the time of an update goes.",
    ),
    _of("histogram", "write_bytes", _WRITE, "Bytes written per change."),
    _of(
        "histogram",
        "write_changed_bytes",
        _WRITE,
        "Bytes that had to change; write_bytes over it is the amplification.",
    ),
    _of("histogram", "read_duration_seconds", _WRITE, "Reading."),
    _of("counter", "conflicts", "agent operation resolution", "Edits that met a newer version."),
    _of("gauge", "sessions", "agent layout", "Sessions in the store."),
    _of("gauge", "index_bytes", "agent layout", "Bytes of all entries, without transcripts."),
    _of("gauge", "transcript_bytes", "agent layout", _NOT_MEASURED),
    _of("gauge", "orphan_files", "agent layout", _NOT_MEASURED),
    _of("gauge", "orphan_bytes", "agent layout", _NOT_MEASURED),
    _of("gauge", "damaged_entries", "agent layout", "Entries and files that cannot be read."),
    _of(
        "gauge",
        "backup_last_success_timestamp_seconds",
        "agent",
        "When the last sound backup of the whole store was taken; 0 for never.",
    ),
    _of(
        "gauge",
        "backup_last_verified_timestamp_seconds",
        "agent",
        "When a sound backup was last read back; 0 for never.",
    ),
    _of(
        "gauge",
        "backup_last_restore_proof_timestamp_seconds",
        "agent",
        "When a backup was last restored on trial and equal; 0 for never.",
    ),
    _of("gauge", "backup_bytes", "agent", "Bytes of all backups."),
    _of(
        "gauge",
        "migration_sessions",
        "agent state",
        "Sessions by the last check and run; none where neither was.",
    ),
    _of(
        "gauge",
        "jobs",
        "kind state",
        "Jobs of the console, finished ones as long as they are kept.",
    ),
    _of(
        "histogram",
        "job_duration_seconds",
        "kind outcome",
        "From the start of a job to its end, pauses included.",
    ),
    _of(
        "histogram",
        "dashboard_lock_hold_seconds",
        "operation",
        "Locks of stores held by the console and its job runners.",
    ),
    _of(
        "histogram",
        "dashboard_scan_duration_seconds",
        "operation",
        "Reading of stores by the console and its job runners.",
    ),
    _of(
        "gauge",
        "dashboard_reading_ratio",
        "",
        "Share of one core that reading stores and answering live parts took lately.",
    ),
    _of(
        "gauge",
        "dashboard_backoff_ratio",
        "",
        "How many times less often live parts look, to keep to the budget.",
    ),
    _of(
        "counter",
        "login_failures",
        "reason",
        "Sign-ins and tokens that were refused, as the audit has them.",
    ),
    _of("counter", "audit_records", "", "Events in the audit."),
    _of(
        "gauge",
        "audit_chain_ok",
        "",
        "1 where the last check of the audit found no break; none before the first.",
    ),
    _of(
        "gauge",
        "collector_last_sample_timestamp_seconds",
        "agent",
        "When the reports of its store were last read: tells silence from calm.",
    ),
    _of(
        "gauge",
        "collector_agents_omitted",
        "",
        "Agents left out, since there are more than an answer has room for.",
    ),
    _of(
        "counter",
        "collector_windows_missed",
        "agent",
        "Reported windows that were thinned before they could be added up.",
    ),
    _of("gauge", "build_info", "version", "Always 1."),
)
BY_NAME = {metric.name.removeprefix("sessionstore_"): metric for metric in ALL}
