"""The gateway's own ``session.maintenance``, read and shown with where each value comes from.

Only what the config says explicitly becomes a rule. What OpenClaw would do where it says nothing
is in :data:`DEFAULTS`, to be shown and chosen; nothing applies it by itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..entries import NotAnEntryError
from ..errors import InvalidPolicyError
from ..paths import CONFIG_NAME, read_config
from .plan_shapes import MaintenancePolicy
from .policy_checks import check_policy
from .policy_values import parse_bytes, parse_count, parse_duration, refused

_SECTION = "session.maintenance"
_CRON = "cron.sessionRetention"

DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "2026.2.12 to 2026.4.19": {
        "mode": "warn",
        "pruneAfter": "30d",
        "maxEntries": "500",
        "resetArchiveRetention": "as pruneAfter",
        "maxDiskBytes": "off",
        "highWaterBytes": "80 % of maxDiskBytes",
        _CRON: "24h",
    },
    "2026.4.20 to 2026.7": {
        "mode": "enforce",
        "pruneAfter": "30d",
        "maxEntries": "500",
        "resetArchiveRetention": "as pruneAfter",
        "maxDiskBytes": "off",
        "highWaterBytes": "80 % of maxDiskBytes",
        _CRON: "24h",
    },
    "2026.8 and later": {
        "mode": "enforce",
        "pruneAfter": "30d",
        "maxEntries": "500 (8.2), 5000 (9.6)",
        "resetArchiveRetention": "kept for ever",
        "maxDiskBytes": "10gb",
        "highWaterBytes": "80 % of maxDiskBytes",
        _CRON: "24h",
    },
}
"""What OpenClaw does where its config says nothing, by release (openclaw-format §5.1)."""


@dataclass(frozen=True, slots=True)
class GatewayPolicy:
    """What a gateway is told to tidy. ``policy`` has the explicit values and no other.

    ``mode`` is ``enforce``, ``warn`` (the gateway only warns) or empty where the config says
    nothing. ``path`` is the config, None where there is none. ``ignored`` are settings that mean
    nothing here, with why.
    """

    policy: MaintenancePolicy = field(default_factory=MaintenancePolicy)
    mode: str = ""
    path: Path | None = None
    ignored: Mapping[str, str] = field(default_factory=dict)


def policy_of(state_dir: str | os.PathLike[str]) -> GatewayPolicy:
    """Read ``session.maintenance`` and ``cron.sessionRetention`` of a state directory's config.

    ``pruneAfter`` also bounds ``.deleted`` archives, as it does for OpenClaw (§5.2 step 4).

    Raises:
        InvalidPolicyError: a value cannot be understood; it names path and value.
        SessionStoreError: the config is there and cannot be read.
    """
    path = Path(os.path.abspath(state_dir)) / CONFIG_NAME
    try:
        config = read_config(path)
    except FileNotFoundError:
        return GatewayPolicy()
    except NotAnEntryError as error:
        raise InvalidPolicyError(
            f"{path} {error}",
            path=path,
            hint="correct the gateway's config; no plan is made by a part of it",
        ) from error
    try:
        return _from_config(config, path)
    except InvalidPolicyError as error:
        error.path = str(path)
        raise


def _from_config(config: Mapping[str, Any], path: Path) -> GatewayPolicy:
    session = _section(config, "session", "session")
    found = _section(session, "maintenance", _SECTION)
    cron = _section(config, "cron", "cron")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}

    def note(name: str, value: object, setting: str) -> None:
        values[name] = value
        sources[name] = f"{path.name}: {setting}"

    ignored = {}
    prune = "pruneAfter" if found.get("pruneAfter") is not None else "pruneDays"
    if found.get(prune) is not None:
        seconds = parse_duration(found[prune], f"{_SECTION}.{prune}")
        note("prune_after_s", seconds, f"{_SECTION}.{prune}")
        note("archive_retention_s", seconds, f"{_SECTION}.{prune}")
    if prune == "pruneAfter" and found.get("pruneDays") is not None:
        ignored["pruneDays"] = "pruneAfter stands beside it"
    if (count := found.get("maxEntries")) is not None:
        setting = f"{_SECTION}.maxEntries"
        note("max_entries", parse_count(count, setting), setting)
    for name, key in (("max_disk_bytes", "maxDiskBytes"), ("high_water_bytes", "highWaterBytes")):
        if found.get(key) is not None:
            note(name, parse_bytes(found[key], f"{_SECTION}.{key}"), f"{_SECTION}.{key}")
    for name, text, value in (
        (
            "reset_retention_s",
            f"{_SECTION}.resetArchiveRetention",
            found.get("resetArchiveRetention"),
        ),
        ("cron_retention_s", _CRON, cron.get("sessionRetention")),
    ):
        if value is not None and value is not False:
            note(name, parse_duration(value, text), text)
    if "rotateBytes" in found:
        ignored["rotateBytes"] = "rotating never made the file smaller; OpenClaw dropped it"
    if "high_water_bytes" in values and "max_disk_bytes" not in values:
        ignored["highWaterBytes"] = "there is no maxDiskBytes"
        del values["high_water_bytes"], sources["high_water_bytes"]
    policy = MaintenancePolicy(**values, sources=sources)
    check_policy(policy)
    return GatewayPolicy(policy, _mode(found), path, ignored)


def _section(config: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refused(name, value, "an object")
    return value


def _mode(found: Mapping[str, Any]) -> str:
    mode = found.get("mode")
    if mode is None:
        return ""
    if mode not in ("warn", "enforce"):
        raise refused(f"{_SECTION}.mode", mode, "warn or enforce")
    return str(mode)
