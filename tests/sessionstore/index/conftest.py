"""Fixtures of the index's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore.index import Index
from sessionstore.paths import StorePaths, store_paths

MakeIndex = Callable[..., Index]


@pytest.fixture
def paths(store_file: Path) -> StorePaths:
    """The paths of the test's store."""
    return store_paths(store_file)


@pytest.fixture
def make_index(paths: StorePaths) -> Iterator[MakeIndex]:
    """Return a maker of refreshed indexes: (paths=None, **options) -> index."""
    made: list[Index] = []

    def make(other: StorePaths | None = None, **options: Any) -> Index:
        index = Index(other or paths, **options)
        made.append(index)
        index.refresh()
        return index

    yield make
    for index in made:
        index.close()


@pytest.fixture(params=["inotify", "stat"])
def watch(request: pytest.FixtureRequest) -> str:
    """Both ways of noticing changes."""
    return str(request.param)
