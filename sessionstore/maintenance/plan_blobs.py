"""Blobs that no file refers to (docs/format.md §12), as items of a plan.

Their kind is ``value``: ``blob`` is what OpenClaw's prompt texts were called here first, and the
plans of earlier runs say so.
"""

from __future__ import annotations

from ..blobs import FOLDER, Blob
from ..files import SIDECAR_ROOT
from ..paths import StorePaths
from .plan_draft import YOUNG_S, Draft, item_id
from .plan_shapes import PlannedItem
from .rule import ago, amount

RULE = "unnamed-blob"


def unnamed(draft: Draft) -> None:
    """Retire blobs that nothing refers to and no writer took up within the retention."""
    limit_s = draft.policy.leftover_retention_s
    if limit_s is None:
        return
    for blob in draft.look.loose_blobs or ():
        age = draft.age_s(blob.touched_ns // 1_000_000)
        if age > max(limit_s, YOUNG_S):
            item = _item(draft, blob, age)
            place = draft.kept if item.action == "keep" else draft.values
            place[item.id] = item
    if draft.look.loose_blobs is None:
        draft.warnings.append("Not every file could be read, so no blob can be called unnamed.")


def _item(draft: Draft, blob: Blob, age: float) -> PlannedItem:
    # why: files that somebody puts back by hand after a loss would need them
    why = "" if draft.look.entries else "there is no session here, as if the store was lost"
    return PlannedItem(
        id=item_id("value", blob.sha256),
        kind="value",
        action="keep" if why else "delete",
        rule=RULE,
        reason=(
            f"No file refers to this blob of {amount(blob.size_bytes)}, and it was last taken up "
            f"{ago(age)} ago. It is in our own folder, which a disk budget does not count."
        ),
        path=name_of(draft.look.paths, blob.sha256),
        size_bytes=blob.size_bytes,
        age_s=age,
        stamp=f"{blob.inode}:{blob.touched_ns}",
        protected_by=why,
    )


def name_of(paths: StorePaths, sha256: str) -> str:
    """Where a blob is, below the store's folder."""
    return f"{SIDECAR_ROOT}/{paths.sidecar.name}/{FOLDER}/{sha256[:2]}/{sha256}"


def blob_of(item: PlannedItem) -> Blob:
    """The blob of an item as it was when the plan was made."""
    inode, _, touched_ns = item.stamp.partition(":")
    sha256 = (item.path or "").rpartition("/")[2]
    return Blob(sha256, item.size_bytes, int(touched_ns), int(inode))
