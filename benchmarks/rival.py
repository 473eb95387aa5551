"""What every rival can do, and how their files are named and written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import orjson

from .material import Entry

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
Entries = Iterable[tuple[str, Entry]]


class Rival(Protocol):
    """A store of sessions. Opened by its class on a directory; filled once."""

    def fill(self, entries: Entries) -> None:
        """Store the entries in a new directory."""

    def patch(self, key: str, fields: Entry) -> None:
        """Merge fields into one session and store it."""

    def close(self) -> None:
        """Let go of everything that is open."""


Open = Callable[[Path], Rival]


def file_name(key: str) -> str:
    return key.replace(":", "%3A") + ".json"


def open_directory(path: Path) -> int:
    path.mkdir(exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def encode_entry(entry: Any) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_INDENT_2)
