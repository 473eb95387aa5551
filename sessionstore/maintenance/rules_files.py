"""Rules about what programs leave behind: temporary files, locks, archives, copies, blobs."""

from __future__ import annotations

from collections.abc import Iterator

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
_DEAD = {
    "owner-gone": "the process that made it is gone",
    "pid-reused": "the process of its number is another one by now",
    "leftover": "no process can have it",
}


def temporary(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.files.values():
        age = age_s(inventory, facts.modified_at_ms)
        if facts.kind == "store-temp" and age > options.temporary_after_s:
            yield about_file(
                "leftover-temporary",
                "warning",
                inventory,
                facts,
                f"a temporary file was left {ago(age)} ago",
                "remove it by a plan: its writer died or gave up before it was put in place",
                confidence="likely",
                evidence=(f"nothing wrote it for {ago(age)}",),
            )


def staging(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.files.values():
        age = age_s(inventory, facts.modified_at_ms)
        is_old = age > options.temporary_after_s and not facts.is_locked
        if facts.kind == "staging" and is_old:
            yield about_file(
                "leftover-staging",
                "warning",
                inventory,
                facts,
                f"a staging folder was left {ago(age)} ago",
                "the next program that writes to this store removes what is ours; remove any other "
                "by a plan",
                evidence=(
                    "no living process has it locked",
                    f"it holds {amount(facts.size_bytes)}",
                ),
            )


def locks(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.files.values():
        if facts.kind in ("transcript-lock", "store-lock") and facts.verdict in _DEAD:
            keys = inventory.keys_of.get(facts.name.removesuffix(".lock"), ())
            yield about_file(
                "leftover-lock",
                "warning",
                inventory,
                facts,
                "a lock file was left by a process that is gone",
                "clear it on the page of locks, where it is judged anew",
                evidence=(_DEAD[facts.verdict],),
                key=keys[0] if len(keys) == 1 else None,
            )


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


def repair_backups(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.files.values():
        age = age_s(inventory, facts.modified_at_ms)
        if facts.kind == "repair-backup" and age > options.temporary_after_s:
            yield about_file(
                "repair-backup",
                "warning",
                inventory,
                facts,
                f"the copy that a repair made was left {ago(age)} ago",
                "remove it by a plan once the transcript it was made of is sound",
                confidence="likely",
                evidence=("OpenClaw makes such a copy for a moment only",),
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
        "leftover-temporary",
        "Temporary files left behind",
        "Files that a program makes before it renames them into place, not written for an hour.",
        ("warning",),
        temporary,
    ),
    Rule(
        "leftover-staging",
        "Staging folders left behind",
        "Staging folders, and those of an interrupted migration, that no living process has "
        "locked and nobody touched for an hour.",
        ("warning",),
        staging,
    ),
    Rule(
        "leftover-lock",
        "Lock files left behind",
        "Locks of transcripts or of the store file whose process is proven gone. Of over 512 "
        "transcript locks the first 512 by name are judged.",
        ("warning",),
        locks,
    ),
    Rule(
        "old-archive",
        "Old archives",
        "Archived transcripts older than 30 days by the time in their name.",
        ("info",),
        archives,
    ),
    Rule(
        "repair-backup",
        "Copies left by repairs",
        "Copies that OpenClaw makes for the moment of a repair, over an hour old.",
        ("warning",),
        repair_backups,
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
