"""Retiring blobs for a run, and bringing them back.

A retired blob is still read. It stays as long as its run can be taken back, and goes after that
(:func:`blobs.finish`, with :func:`retired_by_runs`).
"""

from __future__ import annotations

from .. import blobs, blobswitch
from ..errors import EntryNotFoundError, UnsafeFileError
from ..paths import StorePaths
from ..store import Store
from .plan_blobs import blob_of
from .plan_shapes import PlannedItem
from .runs import read_run, run_ids
from .shapes import Inventory

MOVED = "A writer took it up since the plan was made, so it was left."
GONE = "It is gone already."
NAMED = "A file refers to it by now, so it was left."
UNKNOWN = "It was left: a file could not be read, and that one may refer to it."


def retire(store: Store, look: Inventory | None, item: PlannedItem) -> str:
    """Retire the blob of an item under exclusive mode; what kept it from it, if anything.

    A run that was killed and goes on finds what it retired. Killed between the two steps of
    retiring, the blob is young and in place, and is left to the next plan.

    Raises:
        LockTimeoutError, StoreIOError: it is in place.
    """
    wanted = blob_of(item)
    if is_retired(store.paths, item):
        return ""
    now = blobs.find_blob(store.paths, wanted.sha256)
    if now != wanted:
        return GONE if now is None else MOVED
    if look is None or look.loose_blobs is None:
        return UNKNOWN
    if wanted not in look.loose_blobs:
        return NAMED
    return "" if blobswitch.retire_blob(store, wanted, timeout=store.timeout) else MOVED


def is_retired(paths: StorePaths, item: PlannedItem) -> bool:
    """Whether the very file of an item is among the retired."""
    wanted = blob_of(item)
    found = blobs.find_blob(paths, wanted.sha256, is_retired=True)
    return found is not None and found.inode == wanted.inode


def bring_back(paths: StorePaths, item: PlannedItem) -> tuple[str, bool]:
    """Put the blob of an item in place again; what there is to say, and whether it is there."""
    wanted = blob_of(item)
    retired = blobs.find_blob(paths, wanted.sha256, is_retired=True)
    if retired is not None:
        blobs.put_back(paths, [retired])
    if blobs.find_blob(paths, wanted.sha256) is None:
        return "It is gone: somebody removed it since.", False
    return "", True


def retired_by_runs(paths: StorePaths) -> frozenset[str]:
    """Digests of blobs that runs retired whose time to be taken back has not ended.

    Reads the records of all runs.

    Raises:
        CorruptStoreError: a run's record is damaged, so what it retired cannot be told.
    """
    found: set[str] = set()
    for run_id in run_ids(paths):
        try:
            run = read_run(paths, run_id)
        except (EntryNotFoundError, UnsafeFileError):
            continue  # a stray file or folder, no run
        if not run.is_expired:
            found |= {blob_of(item).sha256 for item in run.plan.acting if item.kind == "value"}
    return frozenset(found)
