"""Plans and reports of migrations as they are kept and shown: JSON values, every text masked.

Lists that a damaged store could make endless are cut, with how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.errors import Finding
from sessionstore.files import real_path
from sessionstore.locks import HeldLock
from sessionstore.migration import (
    Leftover,
    MigrationPlan,
    MigrationReport,
    PlannedSession,
    RollbackPlan,
    RollbackReport,
    Source,
)
from sessionstore.paths import StorePaths

from .findings import masked_finding
from .fleet import below_state, fleet
from .tree import shown

MOST = 500


def plan_summary(plan: MigrationPlan) -> dict[str, Any]:
    """Everything of a plan but its sessions."""
    return {
        "sentence": _text(plan.sentence),
        "sources": [_source(source) for source in plan.sources[:MOST]],
        "findings": findings_of(plan.findings),
        "findings_count": len(plan.findings),
        "leftovers": [_leftover(left) for left in plan.leftovers[:MOST]],
        "programs": [
            {
                "name": shown(program.name),
                "reads": program.reads_directory,
                "consequence": _text(program.consequence),
                "seen": _text(program.seen),
            }
            for program in plan.programs
        ],
        "writers": [_writer(lock) for lock in plan.writers[:MOST]],
        "must_choose": must_choose(plan),
        "openclaw": plan.must_choose,
        "outside": is_outside(plan.paths),
        "gateway_pid": plan.gateway_pid,
        "needed_bytes": plan.needed_bytes,
        "free_bytes": plan.free_bytes,
        "estimated_s": plan.estimated_s,
        "sampled": plan.sampled_entries,
        "counts": dict(plan.counts),
        "bytes": sum(one.size_bytes for one in plan.sessions if one.action == "move"),
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "form": source.form,
        "name": shown(source.name),
        "entries": source.entries,
        "size_bytes": source.size_bytes,
        "mtime_ns": source.mtime_ns,
        "sha256": source.sha256,
    }


def _leftover(left: Leftover) -> dict[str, Any]:
    return {
        "name": shown(left.name),
        "what": shown(left.what),
        "entries": left.entries,
        "size_bytes": left.size_bytes,
        "will": left.will,
    }


def must_choose(plan: MigrationPlan) -> bool:
    """Whether somebody has to say first that this store is meant: OpenClaw was found, or the store
    is outside of the state directory (requirements D5)."""
    return plan.must_choose or is_outside(plan.paths)


def is_outside(paths: StorePaths) -> bool:
    """Whether a store's real place is not below the state directory. Opens nothing."""
    root = fleet().state_dir
    if root is None:
        return True
    return not Path(real_path(paths.store_path.parent)).is_relative_to(real_path(root))


def rollback_summary(plan: RollbackPlan) -> dict[str, Any]:
    """Everything of a plan to undo but its sessions."""
    counts: dict[str, int] = {}
    for session in plan.sessions:
        counts[session.action] = counts.get(session.action, 0) + 1
    return {
        "sentence": _text(plan.sentence),
        "possible": plan.possible,
        "findings": findings_of(plan.findings),
        "findings_count": len(plan.findings),
        "set_aside_as": shown(plan.set_aside_as),
        "needed_bytes": plan.needed_bytes,
        "free_bytes": plan.free_bytes,
        "counts": counts,
        "bytes": sum(session.size_bytes for session in plan.sessions),
    }


def report_of(report: MigrationReport, *, changed: int) -> dict[str, Any]:
    """What a run did. ``changed`` sessions were not as the preview had shown them."""
    return {
        "outcome": report.outcome,
        "sentence": _text(report.sentence),
        "run_id": report.run_id,
        "store": below_state(shown(str(report.store_path))),
        "taken": report.taken,
        "equal": report.equal,
        "verified": report.verified,
        "restaged": report.restaged,
        "changed_since_preview": changed,
        "blocked": blocked_of(report.blocked),
        "blocked_count": len(report.blocked),
        "findings": findings_of(report.findings),
        "findings_count": len(report.findings),
        "source_kept": report.source_kept and shown(report.source_kept),
        "source_sha256": report.source_sha256,
        "guard": report.guard,
        "started_ms": report.started_ms,
        "took_s": round(report.took_s, 3),
        "exclusive_s": round(report.exclusive_s, 6),
        "error": _text(report.error),
        "hint": _text(report.hint),
    }


def rollback_report_of(report: RollbackReport) -> dict[str, Any]:
    """What undoing did."""
    return {
        "outcome": "rolled_back",
        "sentence": _text(report.sentence),
        "store": below_state(shown(str(report.store_path))),
        "sessions": report.sessions,
        "sha256": report.sha256,
        "directory_kept": shown(report.directory_kept),
        "findings": findings_of(report.findings),
        "findings_count": len(report.findings),
        "took_s": round(report.took_s, 3),
        "exclusive_s": round(report.exclusive_s, 6),
    }


def failure_of(sentence: str, *, error: str, hint: str) -> dict[str, Any]:
    """A run that came to nothing."""
    said = {"sentence": _text(sentence), "error": _text(error), "hint": _text(hint)}
    return {"outcome": "failed", **said, "findings": [], "findings_count": 0}


def findings_of(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON, the worst first."""
    rank = {"error": 0, "warning": 1, "info": 2}
    some = sorted(findings, key=lambda finding: rank[finding.severity])[:MOST]
    return [_finding(masked_finding(finding)) for finding in some]


def needs_attention(summary: Mapping[str, Any]) -> int:
    """How many of a plan's or a report's findings ask for a look."""
    found: Iterable[Mapping[str, Any]] = summary.get("findings", ())
    return sum(finding["severity"] != "info" for finding in found)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "key": finding.key,
        "path": finding.path,
        "message": finding.message,
        "hint": finding.hint,
    }


def blocked_of(sessions: Iterable[PlannedSession]) -> list[dict[str, str]]:
    """Sessions that cannot be taken over, and why."""
    some = islice(sessions, MOST)
    return [{"key": shown(one.key), "reason": _text(one.reason)} for one in some]


def _writer(lock: HeldLock) -> str:
    return _("%(program)s, process %(pid)d on %(host)s, for %(operation)s: %(what)s") % {
        "program": shown(lock.program) or _("a program"),
        "pid": lock.pid,
        "host": shown(lock.host) or _("this host"),
        "operation": shown(lock.operation) or _("an update"),
        "what": shown(lock.key) if lock.key else _("the whole store"),
    }


def _text(text: str) -> str:
    return below_state(shown(text))
