"""What a store's own marker says of the migrations that filled it, whoever ran them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sessionstore.entries import NotAnEntryError, decode
from sessionstore.errors import SessionStoreError
from sessionstore.files import read_file
from sessionstore.keys import MARKER_NAME
from sessionstore.migration.taken import imports_of
from sessionstore.paths import StorePaths

from .tree import shown

_MOST_BYTES = 1 << 20
_MOST = 10


@dataclass(frozen=True, slots=True)
class Proof:
    """One source that was taken over: its state then, and the name it is kept under."""

    name: str
    at_ms: int | None
    size_bytes: int | None
    sha256: str
    kept: str


def proofs_of(paths: StorePaths) -> tuple[Proof, ...]:
    """The sources that the marker names, the newest first; none where there is no marker."""
    try:
        marker = decode(read_file(paths.directory / MARKER_NAME, max_bytes=_MOST_BYTES))
    except (FileNotFoundError, NotAnEntryError, SessionStoreError):
        return ()
    return tuple(map(_proof, reversed(imports_of(marker)[-_MOST:])))


def _proof(row: dict[str, Any]) -> Proof:
    at, size = row.get("at"), row.get("size")
    return Proof(
        name=_text(row.get("name")),
        at_ms=at if isinstance(at, int) else None,
        size_bytes=size if isinstance(size, int) else None,
        sha256=_text(row.get("sha256"))[:64],
        kept=_text(row.get("kept")),
    )


def _text(value: object) -> str:
    return shown(value)[:300] if isinstance(value, str) else ""
