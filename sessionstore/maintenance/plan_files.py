"""Which files beside the sessions go: archives, orphans, leftovers, copies, prompt texts."""

from __future__ import annotations

from ..databasefile import database_path
from ..files import status_of
from .plan_draft import YOUNG_S, Draft, is_archivable
from .plan_shapes import Action
from .rule import ago, counted
from .shapes import FileFacts, Inventory

SIDECARS = frozenset(["checkpoint", "trajectory", "trajectory-pointer"])
ORPHANS = frozenset(["transcript", "topic", "fork"]) | SIDECARS

_LOCKED = "its lock file is there, a run may be writing it"


def archives(draft: Draft) -> None:
    """Let archives go that are past their retention, by the time in their name."""
    limits = {
        "archive-deleted": ("archive-retention", draft.policy.archive_retention_s),
        "archive-reset": ("reset-retention", draft.policy.reset_retention_s),
    }
    for name, facts in draft.look.files.items():
        rule, limit_s = limits.get(facts.kind, ("", None))
        if limit_s is None or facts.archived_at_ms is None:
            continue
        age = draft.age_s(facts.archived_at_ms)
        if age > limit_s:
            said = f"It was archived {ago(age)} ago; such archives are kept for {ago(limit_s)}."
            draft.take_file(name, rule, said, action="delete")


def orphans(draft: Draft) -> None:
    """Archive transcripts that no entry names; never one that is locked or was just written."""
    limit_s = draft.policy.orphan_retention_s
    if limit_s is None:
        return
    for name, facts in draft.look.files.items():
        age = draft.age_s(facts.modified_at_ms)
        if is_orphan(facts) and age > max(limit_s, YOUNG_S):
            said = f"No session names it, and it was last written {ago(age)} ago."
            action: Action = "archive" if is_archivable(name) else "delete"
            why = why_orphan_stays(draft, facts)
            draft.take_file(name, "orphans", said, action=action, protected_by=why)


def is_orphan(facts: FileFacts) -> bool:
    """Whether it is a transcript, or a file beside one, that nothing names."""
    return facts.kind in ORPHANS and not facts.is_referenced and not facts.is_folder


def why_orphan_stays(draft: Draft, facts: FileFacts) -> str:
    """What keeps an orphan; empty for nothing."""
    return why_none_is_orphan(draft.look) or (_LOCKED if facts.is_locked else "")


def why_none_is_orphan(look: Inventory) -> str:
    """Why no file can be said to be named by nobody; empty if one can. At most one ``lstat``."""
    if not look.is_complete:
        return "not every entry could be read, and one of these may name it"
    if not look.entries:
        return "there is no session here at all, which looks like a store that was lost"
    if status_of(database_path(look.paths)) is not None:
        return "OpenClaw's database is there, and a session in it may name it"
    return ""


def leftovers(draft: Draft) -> None:
    """Let temporary files, dead staging folders, copies of repairs and unnamed prompts go."""
    limit_s = draft.policy.leftover_retention_s
    if limit_s is None:
        return
    for name, facts in draft.look.files.items():
        what, why = leftover_of(draft, facts)
        age = draft.age_s(facts.modified_at_ms)
        if what and age > max(limit_s, YOUNG_S):
            said = f"{what}, and it was last written {ago(age)} ago."
            draft.take_file(name, "leftovers", said, action="delete", protected_by=why)


def leftover_of(draft: Draft, facts: FileFacts) -> tuple[str, str]:
    """What a leftover is, and what keeps it; both empty for anything else."""
    if facts.kind == "store-temp" and not facts.is_folder:
        return "It is a temporary file that was never put in place", ""
    if facts.kind == "staging":
        why = "a living process has it" if facts.is_locked else ""
        return "It is the staging folder of a process that is gone", why
    if facts.kind == "repair-backup":
        return "It is a copy that a repair made for a moment", ""
    if facts.kind == "blob" and not facts.is_referenced:
        return "No session names this prompt text", why_none_is_orphan(draft.look)
    return "", ""


def store_copies(draft: Draft) -> None:
    """Let copies of the whole store go beyond the newest N."""
    kept = draft.policy.store_copies_kept
    if kept is None:
        return
    copies = copies_of_store(draft)
    for name, _ in copies[kept:]:
        said = (
            f"It is a whole copy of the store beyond the newest {counted(kept, 'copy', 'copies')}."
        )
        why = why_copy_stays(draft, name)
        draft.take_file(name, "store-copies", said, action="delete", protected_by=why)


def copies_of_store(draft: Draft) -> list[tuple[str, FileFacts]]:
    """What rotations, migrations and rollbacks set aside, newest first."""
    found = [(n, f) for n, f in draft.look.files.items() if f.kind == "store-backup"]
    return sorted(found, key=lambda one: (one[1].modified_at_ms, one[0]), reverse=True)


def why_copy_stays(draft: Draft, name: str) -> str:
    """The newest copy beside a directory is what the store was migrated from."""
    newest = copies_of_store(draft)[:1]
    is_newest = bool(newest) and newest[0][0] == name
    if is_newest and draft.look.layout == "directory":
        return "the newest copy beside a store is what a rollback may need"
    return ""
