"""Plans and reports of maintenance as ``manage.py sessions tidy`` tells them: masked values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.maintenance import MaintenancePlan, MaintenanceReport

from .amounts import binary
from .migration_command import NOTHING, OK, Result
from .readers import Reader
from .tree import shown


def plan_result(reader: Reader, plan: MaintenancePlan) -> Result:
    """What a plan would do to one store."""
    acting, kept = len(plan.acting), len(plan.items) - len(plan.acting)
    looked = _("%(sessions)s sessions and %(files)s files examined") % {
        "sessions": f"{plan.examined['entries']:,}",
        "files": f"{plan.examined['files']:,}",
    }
    said = _("%(looked)s: %(acting)s items would go, %(bytes)s; %(kept)s are protected.") % {
        "looked": looked,
        "acting": f"{acting:,}",
        "kept": f"{kept:,}",
        "bytes": binary(plan.frees_bytes),
    }
    said = " ".join((said, *plan.warnings))
    told = {
        "would": "tidy" if acting else "nothing",
        "digest": plan.digest,
        "frees_bytes": plan.frees_bytes,
        "total_bytes": plan.total_bytes,
        "warnings": list(plan.warnings),
        "items": [_masked(asdict(item)) for item in plan.items],
    }
    return Result(reader.name, "planned", said, OK if acting else NOTHING, told)


def _masked(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: shown(value) if isinstance(value, str) else value
        for name, value in item.items()
        if name not in ("stamp", "file_stamps")
    }


def report_told(report: MaintenanceReport) -> dict[str, Any]:
    """What a run did, item by item."""
    counts = report.outcomes
    items = {item.id: item for item in report.plan.acting}
    results = [
        {
            "subject": shown(items[one.id].key or items[one.id].path or ""),
            "outcome": one.outcome,
            "message": shown(one.message),
            "freed_bytes": one.freed_bytes,
        }
        for one in report.results
    ]
    return {
        "run": report.run_id,
        "done": counts.get("done", 0),
        "skipped": counts.get("skipped", 0),
        "failed": counts.get("failed", 0),
        "taken_back": counts.get("taken-back", 0),
        "predicted_bytes": report.predicted_bytes,
        "achieved_bytes": report.achieved_bytes,
        "held_bytes": report.held_bytes,
        "take_back_until_ms": report.take_back_until_ms,
        "results": results,
    }


def numbers_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """The part of it that the audit keeps."""
    return {name: value for name, value in told.items() if not isinstance(value, list)}
