"""Stores that the tests of killed and failing runs begin with, and what is to come of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sessionstore import open_store
from tests.sessionstore.helpers import entry, write_unadopted
from tests.sessionstore.migration.older_forms import write_l4
from tests.sessionstore.migration.runs import run, write_store

A, B, C, ODD = "agent:main:a", "agent:main:b", "agent:main:c", "<odd>"
NEWER, OLDER = 1_800_000_000_000, 1_700_000_000_000
LEGACY = {
    A: entry(label="a", text="x" * 3000),
    B: entry(label="b"),
    ODD: entry(label="odd"),
    C: entry(label="c"),
}
DIRECTORY = {
    A: entry(label="a, newer", updatedAt=NEWER),
    B: entry(label="b, older", updatedAt=OLDER),
    "agent:main:d": entry(label="d"),
}
MERGED = {**LEGACY, A: DIRECTORY[A], "agent:main:d": DIRECTORY["agent:main:d"]}

Make = Callable[[Path], None]


def legacy(path: Path) -> None:
    write_store(path, LEGACY)


def merging(path: Path) -> None:
    with open_store(path) as store:
        for key, value in DIRECTORY.items():
            store.put(key, value)
    write_store(path, LEGACY)


def unadopted(path: Path) -> None:
    write_store(path, LEGACY)
    write_unadopted(path, DIRECTORY)


def state_file(path: Path) -> None:
    """A directory of PR 51946, and a ``sessions.json`` beside it."""
    write_store(path, LEGACY)
    write_l4(path.with_suffix(".d"), DIRECTORY)


def migrated(path: Path) -> None:
    write_store(path, LEGACY)
    run(path)


def migrated_with_guard(path: Path) -> None:
    write_store(path, LEGACY)
    run(path, guard=True)
