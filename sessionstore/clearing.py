"""Clear a lock file whose owner is proven to be gone. ``docs/locks.md`` says what counts as proof.

Only OpenClaw's lock files can be left behind. Kernel locks end with their process, so there is
nothing to clear, and none is ever taken away from a living one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .changes import now_ms
from .errors import StalePlanError, UnprovenLockError
from .files import io_error
from .locks import FileScope, HeldLock, Verdict, lockfiles, open_locks
from .locks.alone import alone
from .locks.asides import settle_asides
from .locks.legacylock import remove_exactly
from .locks.legacypayload import LegacyFile
from .locks.neighbours import Neighbours
from .store import Store, view_locks

CLEARING = "clearing"
_MOST_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Cleared:
    """A lock file that was removed, and why. ``text`` is its first 4,096 bytes, for the record.

    ``digest`` is the sha256 of its content (as far as a lock file is read, 64 KiB).
    """

    path: str
    scope: FileScope
    pid: int
    verdict: Verdict
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    since_ms: int
    cleared_at_ms: int
    digest: str
    text: str


def clear_lock(
    store: Store,
    lock_id: str,
    *,
    understood: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Cleared:
    """Remove the lock file that :func:`held_locks` showed with this ``id``, if it is proven dead.

    It is judged anew at the moment of removal, with every process that can be looked into:
    while one has the file open, it stays. A lock that was taken meanwhile is another one and
    stays. ``understood`` says that a person has read what speaks ``against`` the verdict and
    knows better, as that no other container uses the directory. One at a time in a store;
    ``sessions.json.lock`` in exclusive mode, so that no writer of ours takes it meanwhile.

    Raises:
        StalePlanError: the lock is gone, or another one is in its place; nothing was removed.
        UnprovenLockError: its owner lives, or may live, or it is a kernel lock.
        LockTimeoutError: another clearing, or a session that is held, took the store's timeout.
        StoreIOError: it cannot be read or removed.
    """
    with alone(store.paths.sidecar, CLEARING, timeout=store.timeout):
        _settle(store)
        looked = _find(store, lock_id)
        name = lockfiles.display(looked.path)
        if progress is not None:
            progress(0, 1, name)
        with _no_writer(store, looked.scope):
            held, found = _proven(looked, understood=understood)
            _remove(found)
    if progress is not None:
        progress(1, 1, name)
    return Cleared(
        path=name,
        scope=looked.scope,
        pid=held.pid,
        verdict=held.verdict,
        evidence=held.evidence,
        against=held.against,
        since_ms=held.since_ms,
        cleared_at_ms=now_ms(),
        digest=hashlib.sha256(found.content).hexdigest(),
        text=found.content[:_MOST_TEXT].decode("utf-8", "replace"),
    )


def _find(store: Store, lock_id: str) -> lockfiles.Looked:
    for path, scope in _paths(store):
        looked = lockfiles.look_at(path, scope)
        if looked is not None and lockfiles.id_of(looked) == lock_id:
            return looked
    for held in view_locks(store, transcripts=False).held:
        if held.id == lock_id:
            raise UnprovenLockError(
                "this is a lock of the kernel: it ends with its process and is never taken away",
                key=held.key,
                path=held.path,
                hint="stop the program that holds it, or wait for it",
                held=held,
            )
    raise _moved(store.path.parent)


def _paths(store: Store) -> Iterator[tuple[Path, FileScope]]:
    try:
        listing = lockfiles.transcript_lock_paths(store.path)
    except OSError as error:
        raise io_error("list", store.path.parent, error) from error
    yield lockfiles.legacy_lock_path(store.path), "legacy"
    for path in listing.paths:
        yield path, "transcript"


@contextmanager
def _no_writer(store: Store, scope: FileScope) -> Iterator[None]:
    """Keep writers of ours from taking ``sessions.json.lock`` over at the same time."""
    if scope == "transcript":
        yield
        return
    with (
        closing(open_locks(store.paths.sidecar)) as locks,
        locks.exclusive("clear-lock", store.timeout),
    ):
        yield


def _settle(store: Store) -> None:
    """Settle what killed clearings left."""
    path = lockfiles.legacy_lock_path(store.path)
    try:
        settle_asides(
            path.parent,
            lambda name: name == path.name or lockfiles.is_transcript_lock(name),
            is_dead=_is_dead_beyond_doubt,
        )
    except FileNotFoundError:
        return
    except OSError as error:
        raise io_error("clear up", path.parent, error) from error


def _is_dead_beyond_doubt(found: LegacyFile) -> bool:
    held = lockfiles.shown(lockfiles.Looked(found.path, "transcript", found), Neighbours([found]))
    return held.is_proven_dead and not held.against


def _proven(seen: lockfiles.Looked, *, understood: bool) -> tuple[HeldLock, LegacyFile]:
    """The lock as it is now, all doubt excluded that can be.

    Raises:
        StalePlanError: it is not the one that was seen.
        UnprovenLockError: there is doubt left.
    """
    looked = lockfiles.look_at(seen.path, seen.scope)
    if looked is None or lockfiles.id_of(looked) != lockfiles.id_of(seen):
        raise _moved(seen.path)
    found = looked.found
    neighbours = Neighbours() if isinstance(found, OSError) else Neighbours([found])
    held = lockfiles.shown(looked, neighbours)
    reason = ""
    if isinstance(found, OSError) or not held.is_proven_dead:
        reason = "its owner is not proven to be gone"
    elif openers := neighbours.openers(found):
        reason = f"process {openers[0]} has it open"
    elif held.against and not understood:
        reason = "something speaks against it that only a person can know"
    if isinstance(found, OSError) or reason:
        raise UnprovenLockError(
            f"{held.path} was not removed: {reason}",
            path=held.path,
            hint=" ".join((*held.evidence, *held.against)),
            held=held,
        )
    return held, found


def _remove(found: LegacyFile) -> None:
    try:
        is_removed = remove_exactly(found)
    except OSError as error:
        raise io_error("remove", found.path, error) from error
    if not is_removed:
        raise _moved(found.path)


def _moved(path: Path) -> StalePlanError:
    return StalePlanError(
        "the lock is gone or another one by now; nothing was removed",
        path=lockfiles.display(path),
        hint="look at the locks again",
    )
