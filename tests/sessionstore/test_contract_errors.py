"""Errors say what, where and what next, survive pickling, and are of the promised kinds."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import sessionstore
from sessionstore import (
    ABSENT,
    ConflictError,
    CorruptEntryError,
    CorruptStoreError,
    DamagedBackupError,
    EntryNotFoundError,
    FileTooLargeError,
    GatewayRunningError,
    InvalidEntryError,
    InvalidKeyError,
    InvalidPolicyError,
    LockReentryError,
    LockTimeoutError,
    Overlap,
    OverlapError,
    SessionStoreError,
    StalePlanError,
    Store,
    StoreIOError,
    UnprovenLockError,
    UnsafeBackupError,
    UnsafeFileError,
    UnsupportedStoreError,
    open_store,
)
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import entry

A, B = "agent:main:main", "agent:main:telegram:group:-100"

BUILTINS: list[tuple[type[SessionStoreError], type[Exception]]] = [
    (InvalidKeyError, ValueError),
    (InvalidEntryError, ValueError),
    (EntryNotFoundError, KeyError),
    (CorruptEntryError, ValueError),
    (CorruptStoreError, ValueError),
    (StoreIOError, OSError),
    (LockTimeoutError, TimeoutError),
    (LockReentryError, RuntimeError),
    (StalePlanError, ConflictError),
    (OverlapError, ConflictError),
    (ConflictError, SessionStoreError),
    (UnsafeFileError, SessionStoreError),
    (FileTooLargeError, UnsafeFileError),
    (UnsupportedStoreError, SessionStoreError),
    (UnprovenLockError, SessionStoreError),
    (DamagedBackupError, ValueError),
    (UnsafeBackupError, ValueError),
    (InvalidPolicyError, ValueError),
    (GatewayRunningError, SessionStoreError),
]
DETAILS: dict[type[SessionStoreError], dict[str, Any]] = {
    ConflictError: {"keys": ("k", "l")},
    StalePlanError: {"keys": ("k",)},
    OverlapError: {"overlaps": (Overlap("label", ABSENT, 1, None),), "etag": "0" * 32},
    StoreIOError: {"errno": 28},
    LockTimeoutError: {"holder": "pid 7", "held_s": 1.5, "waited_s": 2.5},
}


@pytest.mark.parametrize(("kind", "builtin"), BUILTINS, ids=lambda kind: kind.__name__)
def test_error_is_also_the_builtin_that_fits(
    kind: type[SessionStoreError], builtin: type[Exception]
) -> None:
    assert issubclass(kind, SessionStoreError)
    assert issubclass(kind, builtin)


def test_every_public_error_is_listed_here() -> None:
    public = {
        getattr(sessionstore, name) for name in sessionstore.__all__ if name.endswith("Error")
    }
    assert public == {kind for kind, _ in BUILTINS} | {SessionStoreError}


@pytest.mark.parametrize("kind", [kind for kind, _ in BUILTINS], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("duplicate", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_error_survives_pickling_and_copying(kind: type[SessionStoreError], duplicate: Any) -> None:
    details = DETAILS.get(kind, {})
    error = kind("what happened", key="k", path="/p", hint="do this", **details)
    again = duplicate(error)
    assert type(again) is kind
    assert (again.key, again.path, again.hint, str(again)) == ("k", "/p", "do this", str(error))
    assert {name: getattr(again, name) for name in details} == details
    assert again.args == error.args


@pytest.mark.parametrize("kind", [kind for kind, _ in BUILTINS], ids=lambda kind: kind.__name__)
def test_error_text_is_message_and_hint(kind: type[SessionStoreError]) -> None:
    error = kind("what happened", hint="do this")
    assert str(error) == "what happened (do this)"
    assert (error.key, error.path) == (None, None)


NO_ENTRIES: list[Any] = [[], 5, "x"]


@pytest.mark.parametrize(
    ("call", "bad"),
    [(call, bad) for call in ("put", "get_or_create", "update") for bad in NO_ENTRIES]
    + [("put", None), ("get_or_create", None)],  # from update, None means no change
)
def test_what_is_no_entry_is_refused_with_its_key(make: MakeStore, call: str, bad: Any) -> None:
    store = make({B: entry()})
    with pytest.raises(InvalidEntryError) as caught:
        if call == "update":
            store.update(A, lambda old: bad)
        elif call == "put":
            store.put(A, bad)
        else:
            store.get_or_create(A, lambda: bad)
    assert caught.value.key == A
    assert store.keys() == [B]


@pytest.mark.parametrize(
    "bad",
    [{"a": float("nan")}, {"a": b"x"}, {1: 2}, {"a": {2: 3}}, {"a": [float("inf")]}],
    ids=str,
)
@pytest.mark.parametrize("call", ["put", "update", "patch"])
def test_what_json_cannot_carry_is_refused_with_its_key(
    make: MakeStore, call: str, bad: Any
) -> None:
    store = make({A: entry()})
    with pytest.raises(InvalidEntryError) as caught:
        if call == "update":
            store.update(A, lambda old: bad)
        else:
            getattr(store, call)(A, bad)
    assert caught.value.key in (A, None if 1 in bad else A)
    assert store.get(A) == entry()


@pytest.mark.parametrize("call", ["put", "update", "patch"])
def test_entry_over_the_size_limit_is_refused(make_blocking: MakeStore, call: str) -> None:
    store = make_blocking({A: entry()}, max_entry_bytes=1000)
    large = entry(text="x" * 2000)
    with pytest.raises(InvalidEntryError) as caught:
        if call == "update":
            store.update(A, lambda old: large)
        else:
            getattr(store, call)(A, large)
    assert (caught.value.key, bool(caught.value.hint)) == (A, True)
    assert store.get(A) == entry()


@pytest.mark.parametrize("key", [A, ".odd"])
def test_entry_of_exactly_the_size_limit_can_be_read_back(store: Store, key: str) -> None:
    with open_store(store.path, max_entry_bytes=1000) as small:
        for size in range(800, 1001):
            try:
                small.put(key, entry(text="x" * size))
            except InvalidEntryError:
                break
            assert small.get(key) == entry(text="x" * size)
        assert small.get(key) == entry(text="x" * (size - 1))


@pytest.mark.parametrize("inner", ["update", "patch", "put", "delete", "save", "update_all"])
def test_change_from_inside_a_change_of_the_same_session_raises(
    make_blocking: MakeStore, inner: str
) -> None:
    store = make_blocking({A: entry(), B: entry()})
    calls: dict[str, Callable[[], object]] = {
        "update": lambda: store.update(A, lambda old: entry(label="inner")),
        "patch": lambda: store.patch(A, {"label": "inner"}),
        "put": lambda: store.put(A, entry(label="inner")),
        "delete": lambda: store.delete(A),
        "save": lambda: store.save({A: entry(label="inner")}),
        "update_all": lambda: store.update_all(lambda every: every.clear()),
    }

    def nested(old: dict[str, Any] | None) -> None:
        with pytest.raises(LockReentryError):
            calls[inner]()

    store.update(A, nested, timeout=5)
    assert store.get(A) == entry()
    store.patch(A, {"label": "after"}, timeout=1)


def test_reading_from_inside_a_change_is_allowed(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(label="old")})
    seen: list[Any] = []

    def nested(old: dict[str, Any] | None) -> dict[str, Any]:
        seen.extend([store.get(A), store.keys(), store.etag(A)])
        return entry(label="new")

    store.update(A, nested)
    assert seen[:2] == [entry(label="old"), [A]]
