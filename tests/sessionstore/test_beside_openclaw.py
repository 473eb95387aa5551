"""Legacy stores beside the program that owns them (openclaw-interop.md, "Locking: the facts")."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    ConflictError,
    GatewayRunningError,
    LockTimeoutError,
    Store,
    held_locks,
    open_store,
)
from tests.sessionstore.children import gateways
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import child, entry, processes

A, B = "agent:main:a", "agent:main:b"


@pytest.fixture
def legacy(open_kind: MakeStore) -> Store:
    """A legacy store with two sessions."""
    return open_kind("legacy", {A: entry(), B: entry()}, timeout=30)


def test_no_update_is_lost_beside_a_program_that_takes_its_lock(legacy: Store) -> None:
    theirs = processes.Process(target=gateways.increment, args=(legacy.path, B, 100))
    theirs.start()
    ours = 0
    while theirs.is_alive() or ours < 100:
        legacy.update(A, lambda old: {**(old or {}), "count": (old or {}).get("count", 0) + 1})
        ours += 1
    assert theirs.exitcode == 0
    assert (legacy.get(A) or {})["count"] == ours
    assert (legacy.get(B) or {})["count"] == 100
    assert not legacy.path.with_name("sessions.json.lock").exists()


def test_lock_of_a_live_program_is_waited_for_and_named(legacy: Store) -> None:
    with child(gateways.keep_locked, legacy.path) as holder:
        assert holder.hear() == "held"
        with pytest.raises(LockTimeoutError) as caught:
            legacy.patch(A, {"label": "x"}, timeout=0.3)
        assert str(holder.process.pid) in (caught.value.holder or "")
        assert [(lock.scope, lock.pid) for lock in held_locks(legacy)] == [
            ("legacy", holder.process.pid)
        ]
        assert legacy.get(A) == entry()
        holder.say("go")
        holder.hear()
    legacy.patch(A, {"label": "after"}, timeout=2)


def test_lock_of_a_killed_program_is_taken_over(legacy: Store) -> None:
    with child(gateways.keep_locked, legacy.path) as holder:
        holder.hear()
        holder.kill()
    begun = time.monotonic()
    legacy.patch(A, {"label": "after"}, timeout=10)
    assert time.monotonic() - begun < 2
    assert not legacy.path.with_name("sessions.json.lock").exists()


def test_write_of_a_program_without_a_lock_is_never_overwritten(legacy: Store) -> None:
    """It writes while our function runs: we read again instead of losing its change."""
    calls: list[int] = []

    def change(old: dict[str, Any] | None) -> dict[str, Any]:
        if not calls:
            store = json.loads(legacy.path.read_bytes())
            store[B]["label"] = "theirs"
            other = legacy.path.with_name("other.tmp")
            other.write_bytes(json.dumps(store, indent=2).encode())
            other.rename(legacy.path)
        calls.append(1)
        return {**(old or {}), "label": "ours"}

    legacy.update(A, change)
    assert len(calls) == 2
    loaded = legacy.load()
    assert (loaded[A]["label"], loaded[B]["label"]) == ("ours", "theirs")


def test_store_that_is_rewritten_all_the_time_is_given_up_on(legacy: Store) -> None:
    def change(old: dict[str, Any] | None) -> dict[str, Any]:
        legacy.path.write_bytes(legacy.path.read_bytes() + b" ")
        return {**(old or {}), "label": "ours"}

    with pytest.raises(ConflictError) as caught:
        legacy.update(A, change)
    assert caught.value.hint
    assert "label" not in (legacy.get(A) or {})


def calls_of(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.put(A, entry(label="x")),
        lambda: store.patch(A, {"label": "x"}),
        lambda: store.delete(A),
        lambda: store.reset(A),
        lambda: store.save({A: entry(label="x")}),
        lambda: store.update_all(lambda every: every.clear()),
    ]


def test_write_to_a_legacy_store_is_refused_while_its_gateway_runs(
    legacy: Store, tmp_path: Path
) -> None:
    gateways.gateway_lock(tmp_path / "gateway", legacy.path.parents[3], os.getpid())
    before = legacy.path.read_bytes()
    for call in calls_of(legacy):
        with pytest.raises(GatewayRunningError) as caught:
            call()
        assert str(os.getpid()) in str(caught.value)
        assert caught.value.path == str(legacy.path)
        assert caught.value.hint
    assert legacy.load() == {A: entry(), B: entry()}
    assert legacy.path.read_bytes() == before


@pytest.mark.parametrize("case", ["dead", "reused", "elsewhere"])
def test_write_is_allowed_when_no_gateway_runs_here(
    legacy: Store, tmp_path: Path, case: str
) -> None:
    state = legacy.path.parents[3]
    if case == "dead":
        done = subprocess.Popen([sys.executable, "-c", ""])
        done.wait()
        gateways.gateway_lock(tmp_path / "gateway", state, done.pid)
    elif case == "reused":
        gateways.gateway_lock(tmp_path / "gateway", state, os.getpid(), startTime=1)
    else:
        gateways.gateway_lock(tmp_path / "gateway", tmp_path / "another-state", os.getpid())
    legacy.patch(A, {"label": "x"})
    assert (legacy.get(A) or {})["label"] == "x"


def test_directory_layout_is_written_while_a_gateway_runs(
    open_kind: MakeStore, tmp_path: Path
) -> None:
    store = open_kind("directory")
    gateways.gateway_lock(tmp_path / "gateway", store.path.parents[3], os.getpid())
    store.put(A, entry())
    with open_store(store.path) as other:
        assert other.get(A) == entry()
