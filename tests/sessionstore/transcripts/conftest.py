"""A store's folder in its usual place, and transcripts to put there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sessionstore import StorePaths
from sessionstore.paths import store_paths

SID = "6397ff25-8eb6-4f71-9b36-fdcd23af13ca"


@pytest.fixture
def home(store_file: Path) -> Path:
    """The folder of a store, in the usual place."""
    store_file.parent.mkdir(parents=True)
    return store_file.parent


@pytest.fixture
def paths(home: Path) -> StorePaths:
    """The paths of that store."""
    return store_paths(home)


Write = Callable[..., Path]


@pytest.fixture
def write(home: Path) -> Write:
    """Return a function that writes lines (values, or bytes as they are) as a transcript."""

    def write(lines: Sequence[Any], *, name: str = f"{SID}.jsonl") -> Path:
        raw = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines]
        path = home / name
        path.write_bytes(b"".join(line + b"\n" for line in raw))
        return path

    return write
