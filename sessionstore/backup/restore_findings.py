"""What a person should know before a restore: writers, what goes, what stays."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..layout import detect_layout
from ..locks import gateway_running, held_locks
from ..store import Store
from .reading import Archive
from .restore_comparing import Difference


def findings_of(store: Store, archive: Archive, found: Difference) -> list[Finding]:
    """The plan's findings, what is damaged among them; takes no lock. Cost: one look at who
    holds locks, and at a running gateway.
    """
    findings = [*_of_writers(store), *found.problems]
    if found.changed or found.created or found.removed:
        findings.insert(0, _outside(archive))
    if found.whole and found.removed:
        count = len(found.removed)
        findings.append(
            Finding(
                "not-in-backup",
                "warning",
                None,
                None,
                f"{count} sessions are in the store and not in the backup: they are taken out",
                "they are in the automatic backup that is taken first",
            )
        )
    if archive.manifest.transcripts:
        findings.append(
            Finding(
                "transcripts-stay",
                "info",
                None,
                None,
                "transcripts that are there stay as they are; only missing ones are put back",
                "to have them as they were, restore to a new place",
            )
        )
    return findings


def _outside(archive: Archive) -> Finding:
    return Finding(
        "outside-world",
        "warning",
        None,
        None,
        "the outside world does not go back: messages that were sent stay sent, and channels, "
        "threads and providers may be out of step with what is restored",
        f"look at what happened since epoch ms {archive.manifest.created_ms} before you go on",
    )


def _of_writers(store: Store) -> Iterator[Finding]:
    paths = store.paths
    for held in held_locks(paths.sidecar, store_path=paths.store_path):
        yield Finding(
            "writer-seen",
            "warning",
            held.key,
            None,
            f"{held.program} (pid {held.pid}) holds a lock of this store for {held.operation}",
            "what it writes meanwhile makes the plan stale; stop it to restore everything",
        )
    gateway = gateway_running(paths.store_path)
    if gateway is not None:
        is_legacy = detect_layout(paths) == "legacy"
        yield Finding(
            "gateway-running",
            "error" if is_legacy else "warning",
            None,
            str(gateway.lock_path),
            f"an OpenClaw gateway (pid {gateway.pid}) is running on this state directory",
            "stop it first: it writes sessions.json without a lock"
            if is_legacy
            else "stop it to restore everything; single sessions can be restored beside it",
        )
