"""Rules that pass on what reading the store found out: damage, duplicates, strangers, shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..errors import Finding, Severity
from .rule import CheckOptions, Look, Rule
from .shapes import Inventory

_WORDS: dict[str, tuple[str, str, tuple[Severity, ...]]] = {
    "damaged-entry": (
        "Damaged entries",
        "Entry files and rows that are not one JSON object. They are left as they are.",
        ("error",),
    ),
    "damaged-store": (
        "Damaged store files",
        "A sessions.json that is not one JSON object: OpenClaw takes it for an empty store.",
        ("error",),
    ),
    "damaged-marker": (
        "Damaged markers",
        "The marker of a directory is unreadable, so every read looks through all of it.",
        ("warning",),
    ),
    "duplicate-key": (
        "Two entries for one key",
        "Files or rows whose keys are the same once folded. The newest counts.",
        ("warning",),
    ),
    "invalid-key": (
        "Rows that are no sessions",
        "Rows whose name cannot be a session key.",
        ("warning",),
    ),
    "foreign-file": (
        "Files of other programs among the entries",
        "Files below sessions.d that are no session of this store.",
        ("warning",),
    ),
    "unsafe-file": (
        "Links and special files",
        "A link, special file or over-large file stands where a plain file must be.",
        ("error",),
    ),
    "odd-file": (
        "Links and special files beside the store",
        "Links and special files among transcripts; they are neither followed nor opened.",
        ("warning",),
    ),
    "unreadable": (
        "What could not be looked at",
        "Files and folders that the system refused to show: the check knows nothing of them.",
        ("error",),
    ),
    "unsupported-store": (
        "Stores in another form",
        "Another format, layout or lock protocol than this version writes.",
        ("error",),
    ),
    "linked-path": (
        "Linked stores",
        "A symbolic link stands in the place of the store; it is not followed.",
        ("error",),
    ),
    "odd-path": (
        "Something else in the store's place",
        "A folder or special file stands where the store file would be.",
        ("warning", "error"),
    ),
    "both-layouts": (
        "Both layouts at once",
        "A sessions.json beside a sessions.d that is not its mirror.",
        ("warning",),
    ),
    "mirror": (
        "Mirrors",
        "A sessions.json that is a copy kept for programs that know only the old form.",
        ("info",),
    ),
    "mirror-foreign-change": (
        "Mirrors that others changed",
        "Somebody wrote to the copy; sessions are never read from it.",
        ("error",),
    ),
    "mirror-state-damaged": (
        "Mirrors of unknown state",
        "The notes about the mirror are damaged.",
        ("error",),
    ),
    "sqlite-store": (
        "Stores in SQLite",
        "OpenClaw keeps this agent's sessions in a database; there is nothing here to check.",
        ("info",),
    ),
    "no-store": (
        "Agents without a store",
        "The agent is configured and has no sessions yet.",
        ("info",),
    ),
    "guarded-store": (
        "Guarded stores",
        "A folder in the place of sessions.json, so that old programs fail loudly.",
        ("info",),
    ),
}


def _passing_on(slug: str) -> Look:
    def look(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
        for finding in (*inventory.problems, *inventory.unreadable):
            if finding.rule == slug:
                yield certain(inventory, finding)

    return look


def certain(inventory: Inventory, finding: Finding) -> Finding:
    """A finding of the scan as one of a check: with the size and time of its file."""
    home = f"{inventory.paths.store_path.parent}/"
    path = finding.path or ""
    facts = inventory.files.get(path.removeprefix(home)) if path.startswith(home) else None
    is_row = facts is not None and facts.kind == "store-file" and finding.rule != "damaged-store"
    if facts is None or is_row:
        return replace(finding, confidence=finding.confidence or "certain")
    return replace(
        finding,
        confidence=finding.confidence or "certain",
        size_bytes=facts.size_bytes,
        at_ms=facts.modified_at_ms,
    )


RULES = tuple(
    Rule(slug, title, meaning, severities, _passing_on(slug))
    for slug, (title, meaning, severities) in _WORDS.items()
)
