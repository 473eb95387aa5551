"""A plan as bytes and back, and its digest: two plans of one digest would do the same."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import msgspec

from ..entries import NotAnEntryError, decode
from ..errors import CorruptStoreError
from ..paths import StorePaths
from .plan_shapes import MaintenancePlan, MaintenancePolicy, PlannedItem

FORMAT = 1


def digest_of(paths: StorePaths, policy: MaintenancePolicy, items: tuple[PlannedItem, ...]) -> str:
    """SHA-256 over what is decided and on what, in hex; times and reasons do not count."""
    acting = [replace(one, reason="", age_s=None) for one in items if one.action != "keep"]
    # As it is read back: 30 days may be whole seconds here and a decimal fraction there.
    rules = msgspec.convert(msgspec.to_builtins(replace(policy, sources={})), MaintenancePolicy)
    what = ("plan", FORMAT, paths.store_path.name, rules, acting)
    content = msgspec.json.encode(what, order="sorted")
    return hashlib.sha256(content).hexdigest()


def to_record(plan: MaintenancePlan) -> dict[str, Any]:
    """The plan as plain values that JSON can carry; the paths of its store are left out."""
    return {
        "format": FORMAT,
        "policy": msgspec.to_builtins(plan.policy),
        "made_at_ms": plan.made_at_ms,
        "items": msgspec.to_builtins(plan.items),
        "examined": dict(plan.examined),
        "total_bytes": plan.total_bytes,
        "digest": plan.digest,
        "warnings": list(plan.warnings),
    }


def from_record(paths: StorePaths, record: dict[str, Any]) -> MaintenancePlan:
    """The plan that :func:`to_record` wrote down, of the store at ``paths``.

    Raises:
        CorruptStoreError: it is none, or its digest is not its own.
    """
    try:
        policy = msgspec.convert(record["policy"], MaintenancePolicy)
        items = msgspec.convert(record["items"], tuple[PlannedItem, ...])
        plan = MaintenancePlan(
            paths=paths,
            policy=policy,
            made_at_ms=int(record["made_at_ms"]),
            items=items,
            examined={str(k): int(v) for k, v in record["examined"].items()},
            total_bytes=int(record["total_bytes"]),
            digest=digest_of(paths, policy, items),
            warnings=tuple(str(one) for one in record["warnings"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged("it is no plan") from error
    if plan.digest != record.get("digest") or record.get("format") != FORMAT:
        raise _damaged("its digest is another one")
    return plan


def encode_plan(plan: MaintenancePlan) -> bytes:
    """The plan as JSON."""
    return msgspec.json.encode(to_record(plan))


def decode_plan(paths: StorePaths, data: bytes) -> MaintenancePlan:
    """The plan of :func:`encode_plan`.

    Raises:
        CorruptStoreError: it is none, or its digest is not its own.
    """
    try:
        return from_record(paths, decode(data))
    except NotAnEntryError as error:
        raise _damaged(f"it {error}") from error


def _damaged(why: str) -> CorruptStoreError:
    return CorruptStoreError(
        f"the plan that was written down cannot be used: {why}", hint="make the plan anew"
    )
