"""A summary of all rows on disk, so that a first look need not open every file.

Never authoritative: a row is used only if its file still has the identity, times and size that
it was read at, and those were settled (see ``watching``). Anything odd makes the whole snapshot
count as absent: another format, agent or checksum. Damaged files are not in it; they are read
again. Lives in ``<sidecar>/index/``, which only the store's owner can write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from filelock import FileLock, Timeout

from .. import files
from ..errors import SessionStoreError
from ..locks.staging import Staging
from .naming import file_id
from .reading import Rows
from .rows import FLAGS, NO_KEY_PREFIX, Row

FORMAT: Final = 2
"""Raise it whenever a row is made differently from the same entry."""
FOLDER: Final = "index"
NAME: Final = "rows.msgpack"

_MAGIC: Final = b"sessionstore rows\n"
_DIGEST_BYTES: Final = 32
_MAX_BYTES: Final = 1 << 28
_LOCK_NAME: Final = "lock"


class SavedShared(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What many rows have in common, kept once."""

    agent_id: str | None
    kind: str
    channel: str
    status: str
    flags: tuple[str, ...]
    overrides: tuple[str, ...]
    model: str
    context_tokens: int | None


class SavedRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One row; ``rank`` is None where it equals the time, ``place`` where the key tells it."""

    key: str
    shared: int
    name: str
    words: str
    session_id: str | None
    updated_at_ms: int | None
    size_bytes: int
    total_tokens: int | None
    stamp: int
    rank: int | None
    place: str | None


class Saved(msgspec.Struct, gc=False):
    """The whole snapshot."""

    format: int
    agent_id: str | None
    shared: list[SavedShared]
    rows: list[SavedRow]


_decode = msgspec.msgpack.Decoder(Saved).decode


def path_of(sidecar: Path) -> Path:
    """Where a store's snapshot is kept."""
    return sidecar / FOLDER / NAME


def age_of(sidecar: Path, now_s: float) -> float | None:
    """Seconds since some process wrote the snapshot; None when there is none."""
    try:
        status = files.status_of(path_of(sidecar))
    except SessionStoreError:
        return None
    return None if status is None else now_s - status.st_mtime


# -- reading -------------------------------------------------------------------------------


def load(sidecar: Path, rows: Rows) -> dict[str, Row]:
    """Rows by id, to be checked against their files; empty when there is nothing to use."""
    try:
        data = files.read_file(path_of(sidecar), max_bytes=_MAX_BYTES)
    except (FileNotFoundError, SessionStoreError):
        return {}
    head = len(_MAGIC) + _DIGEST_BYTES
    body = memoryview(data)[head:]
    digest = hashlib.sha256(body).digest()
    if data[:head] != _MAGIC + digest:
        return {}
    try:
        saved = _decode(body)
        if saved.format != FORMAT or saved.agent_id != rows.agent_id:
            return {}
        return dict(_restored(saved, rows))
    except (msgspec.MsgspecError, IndexError, RecursionError):
        return {}


def _restored(saved: Saved, rows: Rows) -> Iterator[tuple[str, Row]]:
    shared = [_Shared(found, rows) for found in saved.shared]
    for found in saved.rows:
        common = shared[found.shared]
        updated = found.updated_at_ms
        row = Row(
            key=found.key,
            traits=common.traits,
            agent_id=common.agent_id,
            name=found.name,
            words=found.words,
            session_id=found.session_id,
            updated_at_ms=updated,
            size_bytes=found.size_bytes,
            model=common.model,
            total_tokens=found.total_tokens,
            context_tokens=common.context_tokens,
            overrides=common.overrides,
            place=found.place,
            stamp=found.stamp,
            rank=(updated or 0) if found.rank is None else found.rank,
        )
        yield (found.key if found.place is None else file_id(found.place)), row


class _Shared:
    """A :class:`SavedShared` as the objects that rows point to."""

    __slots__ = ("agent_id", "context_tokens", "model", "overrides", "traits")

    def __init__(self, saved: SavedShared, rows: Rows) -> None:
        flags = tuple(rows.share(flag) for flag in saved.flags if flag in FLAGS)
        self.traits = rows.traits(
            rows.share(saved.kind),
            rows.share(saved.channel),
            rows.share(saved.status),
            flags,
            bool(saved.overrides),
            False,
        )
        self.agent_id = rows.share(saved.agent_id)
        self.overrides = rows.share(saved.overrides)
        self.model = rows.share(saved.model)
        self.context_tokens = rows.share(saved.context_tokens)


# -- writing -------------------------------------------------------------------------------


def save(sidecar: Path, rows: Iterable[Row], *, agent_id: str | None) -> bool:
    """Write the snapshot, if no other process is writing it; False when it was not written.

    Cost: about 150 ms per 100,000 rows. Never creates the sidecar: looking at a store that
    nobody writes through us leaves no trace in it.
    """
    try:
        if files.status_of(sidecar) is None:
            return False
        folder = sidecar / FOLDER
        files.ensure_directory(folder)
        with FileLock(folder / _LOCK_NAME, timeout=0, mode=files.FILE_MODE):
            _put(sidecar, folder, encode(rows, agent_id=agent_id))
    except (Timeout, OSError, SessionStoreError):
        return False  # a snapshot only saves time: the next start reads the files instead
    return True


def encode(rows: Iterable[Row], *, agent_id: str | None) -> bytes:
    """The snapshot's bytes. Rows with a problem and rows without a key are left out."""
    shared: dict[SavedShared, int] = {}
    saved = [
        _saved(row, shared)
        for row in rows
        if row.problem is None and not row.key.startswith(NO_KEY_PREFIX)
    ]
    body = msgspec.msgpack.encode(Saved(FORMAT, agent_id, list(shared), saved))
    return _MAGIC + hashlib.sha256(body).digest() + body


def _saved(row: Row, shared: dict[SavedShared, int]) -> SavedRow:
    traits = row.traits
    common = SavedShared(
        row.agent_id,
        traits.kind,
        traits.channel,
        traits.status,
        traits.flags,
        row.overrides,
        row.model,
        row.context_tokens,
    )
    usual = row.rank == (row.updated_at_ms or 0)
    return SavedRow(
        key=row.key,
        shared=shared.setdefault(common, len(shared)),
        name=row.name,
        words=row.words,
        session_id=row.session_id,
        updated_at_ms=row.updated_at_ms,
        size_bytes=row.size_bytes,
        total_tokens=row.total_tokens,
        stamp=row.stamp,
        rank=None if usual else _bounded(row.rank),
        place=row.place,
    )


def _bounded(rank: int) -> int:
    # msgpack has 64 bits; times beyond that only ever compare with each other.
    return max(-(2**63), min(rank, 2**63 - 1))


def _put(sidecar: Path, folder: Path, data: bytes) -> None:
    staging = Staging(sidecar)
    fd = files.open_directory(folder)
    try:
        staging.put(data, NAME, to_fd=fd, created=True)
    finally:
        with suppress(OSError):
            files.close_directory(fd)
        staging.close()
