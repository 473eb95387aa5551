"""One store of 100,000 sessions. Bounds are ten times and more what an idle machine needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sessionstore import Store, demo, open_store
from sessionstore.index import Index, Query
from sessionstore.paths import store_paths

SESSIONS = 100_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store file of a store so large, made once."""
    path = tmp_path_factory.mktemp("large") / "agents" / "main" / "sessions" / "sessions.json"
    assert demo.fill(path, SESSIONS) == SESSIONS
    return path


@pytest.fixture(scope="module")
def some_keys(path: Path) -> list[str]:
    """Keys from all over the store."""
    with open_store(path) as store:
        every = store.keys()
    assert len(every) == SESSIONS
    return every[:: SESSIONS // 200]


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """The large store, open and warm."""
    with open_store(path) as store:
        store.put("agent:main:warm", {"sessionId": "warm"})
        yield store
        store.delete("agent:main:warm")


def p99_s(call: Callable[[str], object], keys: list[str]) -> float:
    took = []
    for key in keys:
        began = time.perf_counter()
        call(key)
        took.append(time.perf_counter() - began)
    return sorted(took)[len(took) * 99 // 100 - 1]


def test_get_takes_milliseconds(store: Store, some_keys: list[str]) -> None:
    assert p99_s(store.get, some_keys) < 0.1


def test_update_takes_milliseconds(store: Store, some_keys: list[str]) -> None:
    assert p99_s(lambda key: store.patch(key, {"n": 1}), some_keys) < 0.1


def test_first_page_is_shown_soon_after_start_and_at_once_when_warm(path: Path) -> None:
    index = Index(store_paths(path))
    try:
        began = time.perf_counter()
        index.refresh()
        page = index.query(Query(machine=True, limit=50))
        cold_s = time.perf_counter() - began
        assert (len(page.rows), page.matched) == (50, SESSIONS)
        began = time.perf_counter()
        index.refresh()
        index.query(Query(machine=True, limit=50))
        warm_s = time.perf_counter() - began
    finally:
        index.close()
    assert cold_s < 60
    assert warm_s < 2
