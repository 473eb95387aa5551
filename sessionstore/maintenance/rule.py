"""What a rule of a check is, and how it words what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import Finding, Severity
from ..index.texts import one_line
from .shapes import Confidence, EntryFacts, FileFacts, Inventory

DAY_S = 86_400.0
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """From where on something is worth telling. Seconds, counts and bytes.

    The limits of sessions marked running are those of the console's check (demand E4); a
    temporary file is one after an hour (requirement E8); archives are kept as long as OpenClaw
    keeps them by default, and three backups of a store file (openclaw-format §5).
    """

    untouched_after_s: float = 30 * DAY_S
    running_watch_s: float = 30.0
    running_bad_s: float = 900.0
    new_session_s: float = DAY_S
    recent_s: float = 300.0
    temporary_after_s: float = 3600.0
    archive_after_s: float = 30 * DAY_S
    cron_runs_kept: int = 10
    store_backups_kept: int = 3
    backups_kept: int = 30
    heavy_share: float = 0.2
    heavy_bytes: int = 1 << 20


Look = Callable[[Inventory, CheckOptions], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a check looks for.

    ``slug`` is stable. ``meaning`` says in words what it finds, why it matters and what is left
    out. ``severities`` are those that its findings may have, least first.
    """

    slug: str
    title: str
    meaning: str
    severities: tuple[Severity, ...]
    look: Look


def about_entry(
    rule: str,
    severity: Severity,
    facts: EntryFacts,
    message: str,
    hint: str,
    *,
    confidence: Confidence = "certain",
    evidence: tuple[str, ...] = (),
    size_bytes: int | None = None,
) -> Finding:
    """A finding about a session; how much and since when come from its entry."""
    return Finding(
        rule,
        severity,
        facts.key,
        None,
        message,
        hint,
        confidence,
        evidence,
        facts.size_bytes if size_bytes is None else size_bytes,
        facts.active_at_ms,
    )


def about_file(
    rule: str,
    severity: Severity,
    inventory: Inventory,
    facts: FileFacts,
    message: str,
    hint: str,
    *,
    confidence: Confidence = "certain",
    evidence: tuple[str, ...] = (),
    key: str | None = None,
) -> Finding:
    """A finding about a file or folder; how much and since when come from its status."""
    return Finding(
        rule,
        severity,
        key,
        path_of(inventory, facts.name),
        message,
        hint,
        confidence,
        evidence,
        facts.size_bytes,
        facts.archived_at_ms or facts.modified_at_ms,
    )


def path_of(inventory: Inventory, name: str) -> str:
    """The whole path of a name relative to the store's folder."""
    return str(Path(inventory.paths.store_path.parent, name)) if name else folder_of(inventory)


def folder_of(inventory: Inventory) -> str:
    """The store's folder."""
    return str(inventory.paths.store_path.parent)


def age_s(inventory: Inventory, at_ms: int) -> float:
    """Seconds between a moment and the look; negative for one that is still to come."""
    return (inventory.at_ms - at_ms) / 1000


def ago(age: float) -> str:
    """``3 days``, ``5 hours``, ``40 seconds``: an age in one unit, rounded down."""
    for unit, seconds in (("day", DAY_S), ("hour", 3600.0), ("minute", 60.0)):
        if age >= seconds:
            return counted(int(age // seconds), unit)
    return counted(max(int(age), 0), "second")


def counted(number: int, noun: str, many: str = "") -> str:
    """``1 file``, ``1,204 files``."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def amount(size: int) -> str:
    """Bytes in one unit, as the console shows them."""
    if size < 1024:
        return counted(size, "byte")
    value, unit = size / 1024, "KiB"
    for bigger in ("MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, bigger
    return f"{value:.1f} {unit}"


def quoted(text: str) -> str:
    """Somebody's text inside a sentence: one line, cut, harmless."""
    return f"“{one_line(text)}”"


def declared(facts: EntryFacts) -> str:
    """The key that sessions have in common which share transcript and label by design.

    OpenClaw writes a cron job's entry under the job's key and that of the run (69013).
    """
    return facts.key.partition(":run:")[0] if facts.kind == "cron-run" else facts.key


def several(keys: list[str]) -> tuple[str, ...]:
    """Sessions as evidence, one a line, the first twenty of them."""
    shown = tuple(f"session {quoted(key)}" for key in keys[:_MOST_NAMED])
    left = len(keys) - len(shown)
    return (*shown, f"and {left:,} more") if left else shown
