"""On which terms a write is made: create, if_match, durability, deadline, file mode."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from sessionstore import ConflictError, EntryNotFoundError, Store, open_store
from tests.sessionstore.conftest import Kind, MakeStore
from tests.sessionstore.helpers import entry

A, B = "agent:main:main", "agent:main:telegram:group:-100"
Entry = dict[str, Any]

WRITES = ["update", "patch", "put"]


def write(store: Store, call: str, key: str, **terms: Any) -> Entry | None:
    """One changing write by the named call."""
    if call == "update":
        return store.update(key, lambda old: {**(old or entry()), "label": "new"}, **terms)
    if call == "patch":
        return store.patch(key, {"label": "new"}, **terms)
    return store.put(key, entry(label="new"), **terms)


@pytest.mark.parametrize("call", WRITES)
def test_create_false_refuses_a_missing_key(make: MakeStore, call: str) -> None:
    store = make({B: entry()})
    with pytest.raises(EntryNotFoundError) as caught:
        write(store, call, A, create=False)
    assert caught.value.key == A
    assert caught.value.path
    assert store.keys() == [B]


@pytest.mark.parametrize("call", WRITES)
def test_create_false_changes_an_existing_key(make: MakeStore, call: str) -> None:
    store = make({A: entry()})
    write(store, call, A, create=False)
    assert (store.get(A) or {})["label"] == "new"


@pytest.mark.parametrize("call", [*WRITES, "delete"])
def test_if_match_refuses_an_entry_that_changed(make: MakeStore, call: str) -> None:
    store = make({A: entry(), B: entry()})
    seen = store.etag(A)
    assert seen is not None
    store.patch(A, {"label": "theirs"})
    before = store.get(A)
    with pytest.raises(ConflictError) as caught:
        if call == "delete":
            store.delete(A, if_match=seen)
        else:
            write(store, call, A, if_match=seen)
    assert (caught.value.key, caught.value.keys) == (A, (A,))
    assert caught.value.path
    assert caught.value.hint
    assert store.get(A) == before


@pytest.mark.parametrize("call", [*WRITES, "delete"])
def test_if_match_refuses_an_entry_that_is_gone(make: MakeStore, call: str) -> None:
    store = make({A: entry(), B: entry()})
    seen = store.etag(A)
    assert seen is not None
    store.delete(A)
    with pytest.raises(ConflictError):
        if call == "delete":
            store.delete(A, if_match=seen)
        else:
            write(store, call, A, if_match=seen)
    assert store.keys() == [B]


@pytest.mark.parametrize("call", WRITES)
def test_if_match_writes_over_the_entry_it_names(make: MakeStore, call: str) -> None:
    store = make({A: entry(provider="slack")})
    write(store, call, A, if_match=store.etag(A))
    assert (store.get(A) or {})["label"] == "new"
    assert store.delete(A, if_match=store.etag(A)) is True


@pytest.mark.parametrize("durability", ["none", "relaxed", "strict"])
@pytest.mark.parametrize("call", WRITES)
def test_every_durability_stores_the_entry(
    make_blocking: MakeStore, call: str, durability: str
) -> None:
    store = make_blocking({A: entry()}, durability=durability)
    write(store, call, A)
    write(store, call, ".odd", durability=durability)
    assert (store.get(A) or {})["label"] == (store.get(".odd") or {})["label"] == "new"
    assert store.delete(".odd")


@pytest.mark.parametrize("durability", ["full", "data", "", None.__class__])
def test_unknown_durability_is_refused(make_blocking: MakeStore, durability: Any) -> None:
    store = make_blocking({A: entry()})
    with pytest.raises(ValueError, match="durability"):
        store.patch(A, {"a": 1}, durability=durability)
    with pytest.raises(ValueError, match="durability"):
        open_store(store.path, durability=durability)
    assert store.get(A) == entry()


def test_files_hold_indented_json_of_mode_0600(make: MakeStore) -> None:
    store = make({A: entry()})
    store.put(A, entry(label="é", nested={"a": [1, 2]}))
    path = store.path if store.layout == "legacy" else store.paths.directory
    path = path if path.is_file() else path / "agent%3Amain%3Amain.json"
    text = path.read_bytes()
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False).encode()
    assert path.stat().st_mode & 0o7777 == 0o600


def test_entry_of_another_program_is_seen_under_the_lock(make_blocking: MakeStore) -> None:
    """Same size, same modification time: only the content tells (requirement A16)."""
    store = make_blocking({A: entry(count=1)})
    store.patch(A, {"count": 2})
    path = store.path if store.layout == "legacy" else next(store.paths.directory.glob("a*.json"))
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"count": 2', b'"count": 7'))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.update(A, lambda old: {**(old or {}), "seen": (old or {})["count"]})
    assert (store.get(A) or {})["seen"] == 7


def test_slow_function_does_not_write_after_its_deadline(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(count=1)})

    def slow(old: Entry | None) -> Entry:
        time.sleep(0.15)
        return entry(count=2)

    with pytest.raises(TimeoutError):
        store.update(A, slow, timeout=0.05)
    assert store.get(A) == entry(count=1)


def test_close_leaves_no_staging_folder(make: MakeStore, kind: Kind, tmp_path: Path) -> None:
    store = make({A: entry()})
    store.put(A, entry(label="x"))
    staging = store.paths.sidecar / "tmp"
    assert len(list(staging.iterdir())) == 1
    store.close()
    assert list(staging.iterdir()) == []
