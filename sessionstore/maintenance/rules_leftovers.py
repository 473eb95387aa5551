"""Rules about what programs leave behind when they die: temporary files, folders, locks, copies."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from .rule import CheckOptions, Rule, about_file, age_s, ago, amount
from .shapes import Inventory

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
        "repair-backup",
        "Copies left by repairs",
        "Copies that OpenClaw makes for the moment of a repair, over an hour old.",
        ("warning",),
        repair_backups,
    ),
)
