"""Rules about what is kept for a while: archives, copies, quarantine, prompt texts, backups."""

from __future__ import annotations

from collections.abc import Iterator

from ..blobs import FOLDER
from ..errors import Finding
from .rule import (
    CheckOptions,
    Rule,
    about_file,
    age_s,
    ago,
    amount,
    counted,
    folder_of,
    path_of,
)
from .shapes import FileFacts, Inventory

_ARCHIVES = {
    "archive-deleted": "a deleted session",
    "archive-reset": "a session that was reset",
    "archive-bak": "a transcript before it was shortened",
}


def archives(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.files.values():
        what = _ARCHIVES.get(facts.kind)
        if what is None:
            continue
        at_ms = facts.archived_at_ms or facts.modified_at_ms
        age = age_s(inventory, at_ms)
        if age > options.archive_after_s:
            by = "its name" if facts.archived_at_ms else "the time of the file"
            yield about_file(
                "old-archive",
                "info",
                inventory,
                facts,
                f"the archive of {what} is {ago(age)} old",
                "a plan with a retention for archives removes it",
                evidence=(f"its age is told by {by}",),
            )


def store_backups(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    kept = [facts for facts in inventory.files.values() if facts.kind == "store-backup"]
    kept.sort(key=lambda one: (one.modified_at_ms, one.name), reverse=True)
    for facts in kept[options.store_backups_kept :]:
        age = age_s(inventory, facts.modified_at_ms)
        yield about_file(
            "old-store-copy",
            "info",
            inventory,
            facts,
            f"a whole copy of the store from {ago(age)} ago is beyond the newest "
            f"{options.store_backups_kept:,}",
            "remove it by a plan; a rollback of a migration needs only the newest",
            evidence=(f"there are {counted(len(kept), 'copy', 'copies')} beside the store",),
        )


def quarantined(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for name, facts in inventory.files.items():
        if facts.kind == "quarantined" and not _is_note(inventory, name):
            age = age_s(inventory, facts.modified_at_ms)
            yield about_file(
                "quarantined-file",
                "info",
                inventory,
                facts,
                "a damaged or superseded file is kept in quarantine",
                "look at it; why it was set aside is in the file of the same name with .json",
                evidence=(f"its bytes are from {ago(age)} ago",),
            )


def _is_note(inventory: Inventory, name: str) -> bool:
    """Whether it is the reason for the file beside it; a reason alone is told of."""
    return name.endswith(".json") and f"{name.removesuffix('.json')}.file" in inventory.files


def blobs(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.files.values():
        if facts.kind != "blob" or facts.is_referenced:
            continue
        if age_s(inventory, facts.modified_at_ms) > options.recent_s:
            yield about_file(
                "unreferenced-blob",
                "info",
                inventory,
                facts,
                "no session names this prompt text",
                "remove it by a plan",
                confidence="certain" if inventory.is_complete else "possible",
                evidence=("no entry has its digest as skillsSnapshot.promptRef",),
            )


def large_values(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    loose = inventory.loose_blobs
    folder = str(inventory.paths.sidecar / FOLDER)
    if loose is None:
        yield Finding(
            "unnamed-blob",
            "info",
            None,
            folder,
            "which blobs are referred to cannot be told",
            "make every file of the store readable; no plan retires a blob until then",
            "possible",
            ("a file that may refer to one cannot be read",),
        )
    elif loose:
        total = sum(one.size_bytes for one in loose)
        yield Finding(
            "unnamed-blob",
            "info",
            None,
            folder,
            f"{counted(len(loose), 'blob')} of {amount(total)} together: no file refers to them",
            "retire them by a plan with a retention for leftovers",
            "certain",
            ("no writer took one of them up for five minutes",),
            total,
            min(one.touched_ns for one in loose) // 1_000_000,
        )


def backups(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    if inventory.backups > options.backups_kept:
        yield Finding(
            "many-backups",
            "info",
            None,
            folder_of(inventory),
            f"this agent has {counted(inventory.backups, 'backup')} of "
            f"{amount(inventory.backup_bytes)} together",
            "give the backups a retention",
            "certain",
            (f"more than {options.backups_kept:,} are at the usual place",),
            inventory.backup_bytes,
        )


def other_files(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    large = [one for one in inventory.files.values() if _is_large_stranger(one, options)]
    for facts in large:
        yield about_file(
            "unknown-file",
            "info",
            inventory,
            facts,
            f"{amount(facts.size_bytes)} lie here that are no part of the store",
            "look at what put it there; no plan removes it",
            confidence="possible",
            evidence=(f"the path is {path_of(inventory, facts.name)}",),
        )


def _is_large_stranger(facts: FileFacts, options: CheckOptions) -> bool:
    return facts.kind == "other" and facts.size_bytes > options.heavy_bytes


RULES = (
    Rule(
        "old-archive",
        "Old archives",
        "Archived transcripts older than 30 days by the time in their name.",
        ("info",),
        archives,
    ),
    Rule(
        "old-store-copy",
        "Old copies of the whole store",
        "What rotations, migrations and rollbacks set aside beside the store, beyond the newest 3.",
        ("info",),
        store_backups,
    ),
    Rule(
        "quarantined-file",
        "Files in quarantine",
        "Damaged and superseded files that were set aside with the reason. Nothing removes them "
        "by itself.",
        ("info",),
        quarantined,
    ),
    Rule(
        "unreferenced-blob",
        "Prompt texts that no session names",
        "Files below skills-prompts that no entry refers to, over 5 minutes old.",
        ("info",),
        blobs,
    ),
    Rule(
        "unnamed-blob",
        "Blobs that nothing refers to",
        "Values that were kept once for many sessions and that no file of the store refers to any "
        "more, all of them in one finding with their bytes. Those that were retired are left out.",
        ("info",),
        large_values,
    ),
    Rule(
        "many-backups",
        "Backups without limit",
        "More than 30 backups of this agent at the usual place. Whether a schedule limits them, "
        "the console knows.",
        ("info",),
        backups,
    ),
    Rule(
        "unknown-file",
        "Large files of others",
        "Files and folders of over 1 MiB beside the store that are no part of it.",
        ("info",),
        other_files,
    ),
)
