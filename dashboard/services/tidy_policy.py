"""Policies of the clean-up: as a form writes them, as the gateway's config has them, as kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sessionstore.errors import InvalidPolicyError, SessionStoreError
from sessionstore.index.kinds import KINDS as SESSION_KINDS
from sessionstore.maintenance import (
    DEFAULTS,
    REBUILDABLE,
    GatewayPolicy,
    MaintenancePolicy,
    parse_bytes,
    parse_count,
    parse_duration,
    policy_of,
)

from .fleet import fleet
from .problems import Problem, problem_of
from .readers import Reader
from .tidy_words import Text
from .tree import shown

__all__ = ["REBUILDABLE", "SESSION_KINDS", "MaintenancePolicy"]

BUDGET_S = 2.0
_UNITS = (("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0))
_SIZES = (("tb", 1 << 40), ("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10))

#: Fields of a policy that are one value each: how they are written, what they are called, and
#: what they do in words.
SPAN, SIZE, COUNT = "span", "size", "count"
VALUES: Mapping[str, tuple[str, Text, Text]] = {
    "prune_after_s": (
        SPAN,
        lazy("Archive sessions untouched for"),
        lazy("Sessions that were not updated for longer go, their transcripts are archived."),
    ),
    "max_entries": (
        COUNT,
        lazy("Keep at most so many sessions"),
        lazy("The newest stay; what is beyond goes, oldest first."),
    ),
    "cron_retention_s": (
        SPAN,
        lazy("Finished cron runs older than"),
        lazy("Sessions of runs of cron jobs; the job's own session stays."),
    ),
    "cron_runs_kept": (
        COUNT,
        lazy("Keep so many runs of each cron job"),
        lazy("The newest finished runs stay."),
    ),
    "archive_retention_s": (
        SPAN,
        lazy("Delete .deleted archives older than"),
        lazy("Transcripts that were archived when their session went."),
    ),
    "reset_retention_s": (
        SPAN,
        lazy("Delete .reset archives older than"),
        lazy("Transcripts that were archived when their session was reset."),
    ),
    "orphan_retention_s": (
        SPAN,
        lazy("Archive transcripts without a session older than"),
        lazy("Transcripts that no entry names. They are archived, not deleted."),
    ),
    "leftover_retention_s": (
        SPAN,
        lazy("Delete leftovers older than"),
        lazy(
            "Temporary files, staging folders, copies of repairs, unnamed prompt texts and blobs."
        ),
    ),
    "store_copies_kept": (
        COUNT,
        lazy("Keep so many copies of the whole store"),
        lazy("Copies that rotations and migrations left beside it."),
    ),
    "max_disk_bytes": (
        SIZE,
        lazy("Disk budget"),
        lazy("Above it, old archives and orphans go first, sessions last."),
    ),
    "high_water_bytes": (
        SIZE,
        lazy("Go down to"),
        lazy("Once above the budget; 80 % of it where nothing is said."),
    ),
}


@dataclass(frozen=True, slots=True)
class GatewayValue:
    """One value of the gateway's config, with the setting that it stands in."""

    name: str
    label: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class GatewaySeen:
    """What the gateway's config says. ``problem``: it cannot be understood, and no plan is made."""

    values: tuple[GatewayValue, ...] = ()
    mode: str = ""
    path: str = ""
    ignored: tuple[tuple[str, str], ...] = ()
    problem: Problem | None = None
    policy: MaintenancePolicy = field(default_factory=MaintenancePolicy)


def gateway_policy(reader: Reader) -> GatewaySeen:
    """Read the gateway's own policy within a page's time."""
    root = fleet().state_dir
    if root is None:
        return GatewaySeen()
    found = reader.read(lambda paths: _config_of(str(root)), budget_s=BUDGET_S)
    if isinstance(found, Problem):
        return GatewaySeen(problem=found)
    if isinstance(found, SessionStoreError):
        told = problem_of(found)
        detail = shown(found.message)
        title = _("The gateway's config cannot be understood") if _is_value(found) else told.title
        hint = shown(found.hint) or told.hint
        return GatewaySeen(problem=Problem(title, detail, hint, 409))
    return GatewaySeen(
        values=tuple(_gateway_values(found.policy)),
        mode=shown(found.mode),
        path=shown(found.path.name) if found.path else "",
        ignored=tuple((shown(name), shown(why)) for name, why in found.ignored.items()),
        policy=found.policy,
    )


def _config_of(root: str) -> GatewayPolicy | SessionStoreError:
    try:
        return policy_of(root)
    except SessionStoreError as error:
        return error


def _is_value(error: SessionStoreError) -> bool:
    return isinstance(error, InvalidPolicyError)


def defaults() -> list[tuple[str, list[tuple[str, str]]]]:
    """What OpenClaw does where its config says nothing, by release."""
    return [(release, list(told.items())) for release, told in DEFAULTS.items()]


def _gateway_values(policy: MaintenancePolicy) -> list[GatewayValue]:
    return [
        GatewayValue(name, str(label), written(name, value), shown(policy.sources.get(name, "")))
        for name, (_kind, label, _note) in VALUES.items()
        if (value := getattr(policy, name)) is not None
    ]


def written(name: str, value: Any) -> str:
    """A value as the form writes it: ``30d``, ``10gb``, ``500``."""
    if value is None:
        return ""
    kind = VALUES[name][0]
    if kind == COUNT:
        return str(value)
    units = _UNITS if kind == SPAN else _SIZES
    for unit, factor in units:
        if value >= factor and value % factor == 0:
            return f"{int(value // factor)}{unit}"
    return f"{value:g}s" if kind == SPAN else str(value)


def read_value(name: str, text: str) -> Any:
    """The value of what somebody wrote.

    Raises:
        ValueError: it is none; the message is for people.
    """
    kind, label, _note = VALUES[name]
    try:
        if kind == SPAN:
            return parse_duration(text, str(label))
        if kind == SIZE:
            return parse_bytes(text, str(label))
        least = 0 if name in ("cron_runs_kept", "store_copies_kept") else 1
        return parse_count(text, str(label), least=least)
    except InvalidPolicyError as error:
        raise ValueError(_wanted(kind)) from error


def _wanted(kind: str) -> str:
    if kind == SPAN:
        return _("Write a length such as 30d, 12h or 1h30m.")
    if kind == SIZE:
        return _("Write a size such as 10gb, 500mb or 64k.")
    return _("Write a whole number.")


def to_row(policy: MaintenancePolicy) -> dict[str, Any]:
    """A policy as JSON keeps it, without where its values come from."""
    return {name: value for name, value in asdict(policy).items() if name != "sources"}


def from_row(kept: Mapping[str, Any], sources: Mapping[str, str]) -> MaintenancePolicy:
    """The policy that was kept."""
    known = {one.name for one in fields(MaintenancePolicy)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
    }
    chosen: dict[str, Any] = {name: value for name, value in values.items() if name in known}
    return MaintenancePolicy(**chosen, sources=dict(sources))


def sources_of(policy: MaintenancePolicy, gateway: MaintenancePolicy, who: str) -> dict[str, str]:
    """Where each value that is set comes from: the gateway's config where it has the same."""
    told = {}
    for one in fields(policy):
        value = getattr(policy, one.name)
        if one.name == "sources" or value in (None, False, ()):
            continue
        is_same = getattr(gateway, one.name) == value and one.name in gateway.sources
        told[one.name] = gateway.sources[one.name] if is_same else _("chosen by %s") % who
    return told


def told_policy(kept: Mapping[str, Any], sources: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """A policy in words: label, value, source. Only what is on."""
    rows = [
        (str(label), written(name, kept[name]), name)
        for name, (_kind, label, _note) in VALUES.items()
        if kept.get(name) is not None
    ]
    if kept.get("slim_fields"):
        rows.append((_("Take out of entries"), ", ".join(kept["slim_fields"]), "slim_fields"))
    if kept.get("unpin_failover"):
        rows.append((_("Model overrides of failovers"), _("taken out"), "unpin_failover"))
    for name, label in (("protect", _("Protected keys")), ("protect_kinds", _("Protected kinds"))):
        if kept.get(name):
            rows.append((label, ", ".join(kept[name]), name))
    return [(label, shown(value), shown(sources.get(name, ""))) for label, value, name in rows]


def is_empty(kept: Mapping[str, Any]) -> bool:
    """Whether nothing is on that takes something away."""
    names = [*VALUES, "slim_fields", "unpin_failover"]
    is_on = [name for name in names if kept.get(name) not in (None, False, [], ())]
    return not [name for name in is_on if name != "high_water_bytes"]
