"""Fixtures of the store's tests: a store in each layout, and the sample directories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from sessionstore import Store, aio, directory, open_store
from sessionstore.blobs import form
from sessionstore.blobswitch import set_blobs
from tests.sessionstore.helpers import SyncedStore, write_legacy, write_unadopted

Kind = Literal["directory", "adopted", "blobs", "legacy", "async-directory", "async-legacy"]
KINDS: tuple[Kind, ...] = (
    "directory",
    "adopted",
    "blobs",
    "legacy",
    "async-directory",
    "async-legacy",
)
BLOCKING_KINDS: tuple[Kind, ...] = ("directory", "adopted", "blobs", "legacy")

MakeStore = Callable[..., Store]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each layout, and the asyncio twin."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture(params=BLOCKING_KINDS)
def layout_kind(request: pytest.FixtureRequest) -> Kind:
    """Each layout, blocking calls only."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def store_file(tmp_path: Path) -> Path:
    """Where the store of a test is, in the usual place of an agent's."""
    return tmp_path / "state" / "agents" / "main" / "sessions" / "sessions.json"


@pytest.fixture
def fold_all(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what lets even the smallest values go to blobs, in this process."""

    def lower() -> None:
        for module in (form, directory):
            monkeypatch.setattr(module, "THRESHOLD", 2)

    return lower


@pytest.fixture
def open_kind(
    store_file: Path, tmp_path: Path, fold_all: Callable[[], None]
) -> Iterator[MakeStore]:
    """Return a maker: (kind, entries, **options) -> an open store that holds the entries."""
    opened: list[Any] = []

    def make(kind: Kind, entries: Mapping[str, Any] | None = None, **options: Any) -> Any:
        if kind == "blobs":
            fold_all()
        fill(kind, store_file, entries or {})
        options.setdefault("gateway_lock_dir", tmp_path / "gateway")
        store: Any
        if kind.startswith("async-"):
            store = SyncedStore(aio.open_store(store_file, **options))
        else:
            store = open_store(store_file, **options)
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def fill(kind: Kind, path: Path, entries: Mapping[str, Any]) -> None:
    """Put entries on disk as the layout's own program would."""
    if kind.endswith("legacy"):
        write_legacy(path, entries)
    elif kind == "adopted":
        write_unadopted(path, entries)
    elif entries or kind == "blobs":
        with open_store(path) as store:
            if kind == "blobs":
                set_blobs(store, True)
            for key, entry in entries.items():
                store.put(key, entry)


@pytest.fixture
def make(kind: Kind, open_kind: MakeStore) -> MakeStore:
    """Return a maker of stores of each kind: (entries, **options) -> store."""

    def make(entries: Mapping[str, Any] | None = None, **options: Any) -> Store:
        return open_kind(kind, entries, **options)

    return make


@pytest.fixture
def make_blocking(layout_kind: Kind, open_kind: MakeStore) -> MakeStore:
    """Return a maker of stores of each layout: (entries, **options) -> store."""

    def make(entries: Mapping[str, Any] | None = None, **options: Any) -> Store:
        return open_kind(layout_kind, entries, **options)

    return make


@pytest.fixture
def store(open_kind: MakeStore) -> Store:
    """An empty store that starts in the directory layout."""
    return open_kind("directory")


@pytest.fixture
def legacy_store(open_kind: MakeStore) -> MakeStore:
    """Return a maker of legacy stores: (entries) -> store."""
    return lambda entries=None: open_kind("legacy", entries)
