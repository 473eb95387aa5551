"""What a run needs on the disk, and what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..files import room_at
from ..paths import StorePaths
from .shapes import Source
from .sources import Row

_NAME_BYTES: Final = 160  # a directory's entry and its share of the index, rounded up
_TAKEN_BYTES: Final = 48  # of the list of what was taken: an etag and its punctuation
_SPARE_BYTES: Final = 1 << 20  # marker, journal, live table


class Space(NamedTuple):
    """Bytes and files; ``free_files`` is None where the file system does not count them."""

    needed_bytes: int
    free_bytes: int
    needed_files: int
    free_files: int | None


def measure_space(paths: StorePaths, rows: Sequence[Row], store_file: Source | None) -> Space:
    """Space for these rows: whole blocks, names, the safety copy of the source, our lists.

    Nothing is freed on the way: the source stays until the end and is then kept.

    Raises:
        StoreIOError: the file system does not say what is free.
    """
    room = room_at(paths.store_path.parent)
    if not rows:
        return Space(0, room.free_bytes, 0, room.files)
    block = max(room.block_bytes, 1)
    needed = _SPARE_BYTES + (store_file.size_bytes if store_file else 0)
    for row in rows:
        # As if each were wrapped with its key, as those below x/ are.
        size = len(row.data) + 2 * len(row.key) + 40
        needed += -(-size // block) * block + _NAME_BYTES + len(row.key) + _TAKEN_BYTES
    return Space(needed, room.free_bytes, len(rows), room.files)
