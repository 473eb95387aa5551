"""Fixtures of the migration's tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from sessionstore import Store, open_store
from sessionstore.migration import Mirror, enable_mirror
from tests.sessionstore.helpers import entry

Tick = Callable[[], bool]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of the store."""
    path = tmp_path / "agents" / "main" / "sessions"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def mirrored(store_file: Path) -> Iterator[Store]:
    """A store of two sessions whose mirror is on; nothing is copied yet."""
    with open_store(store_file) as store:
        store.put("agent:main:a", entry(label="a"))
        store.put("agent:main:b", entry(label="b", text="x" * 300))
        enable_mirror(store)
        yield store


@pytest.fixture
def mirror(mirrored: Store) -> Iterator[Mirror]:
    """The mirror of that store."""
    made = Mirror(mirrored)
    yield made
    made.close()


@pytest.fixture
def tick(mirror: Mirror) -> Tick:
    """Return a call that ticks at a time when a pass is due."""
    times = count(0, 100)
    return lambda: mirror.tick(float(next(times)))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of syncs on a disk would take minutes."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)
