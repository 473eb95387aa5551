"""A store with files beside it whose ages are told in days before :data:`NOW`, and its plans."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sessionstore import Store, open_store
from sessionstore.maintenance import (
    MaintenancePlan,
    MaintenancePolicy,
    PlannedItem,
    plan_maintenance,
)
from tests.sessionstore.conftest import Kind, fill
from tests.sessionstore.helpers import NOW, json_bytes, old_name

DAY_MS = 86_400_000
DAY_S = 86_400.0
HEADER = '{"type":"session","version":3,"id":"x","timestamp":"2026-01-01T00:00:00.000Z"}'
TEXT = HEADER + '\n{"type":"message"}\n'


def days(count: float) -> int:
    """The moment so many days before NOW."""
    return NOW - int(count * DAY_MS)


def row(age: float | None, session_id: str, **fields: Any) -> dict[str, Any]:
    """An entry that was updated so many days before NOW; None: it does not say when."""
    when = {} if age is None else {"updatedAt": days(age)}
    return {"sessionId": session_id, **when, **fields}


def stamp(age: float) -> str:
    """The time in an archive's name."""
    at = datetime.fromtimestamp(days(age) / 1000, UTC).isoformat(timespec="milliseconds")
    return at.removesuffix("+00:00").replace(":", "-") + "Z"


class Home:
    """The folder of one store."""

    def __init__(self, root: Path, kind: Kind = "directory") -> None:
        self.path = root / "state" / "agents" / "main" / "sessions" / "sessions.json"
        self.gateway = root / "gateway"
        self.kind = kind
        self.path.parent.mkdir(parents=True)

    def fill(self, entries: dict[str, Any]) -> None:
        """Put entries on disk as the layout's own program would."""
        fill(self.kind, self.path, entries)
        for key, entry in entries.items() if self.kind == "directory" else ():
            if "updatedAt" not in entry:  # a write of ours gives every entry a time
                (self.path.with_suffix(".d") / old_name(key)).write_bytes(json_bytes(entry))

    def file(self, name: str, age: float, content: str | bytes = TEXT) -> Path:
        """A file beside the store, last written so many days before NOW."""
        path = self.path.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (days(age) / 1000, days(age) / 1000))
        return path

    def open(self) -> Store:
        """The store; the caller closes it."""
        return open_store(self.path, gateway_lock_dir=self.gateway, timeout=5)

    def plan(self, policy: MaintenancePolicy) -> MaintenancePlan:
        """What the policy would do at NOW."""
        with self.open() as store:
            return plan_maintenance(store, policy, now_ms=NOW)

    def names(self) -> set[str]:
        """Names beside the store, our own folder left out."""
        return {one.name for one in self.path.parent.iterdir()} - {".sessionstore"}


def keys(plan: MaintenancePlan) -> list[str]:
    """The sessions that would go, in order, without the part that all keys share."""
    gone = [one.key for one in plan.acting if one.kind == "entry" and one.key]
    return [key.removeprefix("agent:main:") for key in gone]


def paths(plan: MaintenancePlan) -> dict[str, str]:
    """What would be done with files, by name."""
    return {one.path: one.action for one in plan.acting if one.key is None and one.path}


def kept(plan: MaintenancePlan) -> dict[str, str]:
    """What is kept for a reason, by session or file."""
    items = [one for one in plan.items if one.action == "keep"]
    return {
        (one.key or one.path or "").removeprefix("agent:main:"): one.protected_by for one in items
    }


def item_of(plan: MaintenancePlan, subject: str) -> PlannedItem:
    """The one item about a session or a file."""
    (found,) = [one for one in plan.items if subject in (one.key, one.path)]
    return found
