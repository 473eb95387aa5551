"""Holders that stall, die, fork or become another program hold up nobody else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from sessionstore import LockTimeoutError, Store, held_locks, open_store
from tests.sessionstore.children import working
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import child, entry

A = "agent:main:a"
OTHERS = [f"agent:main:{number}" for number in range(7)]
SOON_S = 2.0  # target 0.1 s; the machine is shared


@pytest.fixture
def store(open_kind: MakeStore) -> Store:
    """A directory store with eight sessions."""
    store = open_kind("directory", {key: entry() for key in [A, *OTHERS]})
    store.patch(A, {"warm": True})
    return store


def test_held_key_does_not_delay_seven_others(store: Store) -> None:
    with child(working.hold, store.path, A) as holder:
        assert holder.hear() == "held"
        for key in OTHERS:
            begun = time.monotonic()
            store.patch(key, {"label": "quick"})
            assert time.monotonic() - begun < SOON_S
        assert (store.get(A) or {}).get("holder") is None
        holder.say("go")
        assert holder.hear() == "done"
    assert (store.get(A) or {})["holder"] == holder.process.pid


def test_waiter_gives_up_at_its_deadline_and_names_the_holder(store: Store) -> None:
    with child(working.hold, store.path, A) as holder:
        holder.hear()
        begun = time.monotonic()
        with pytest.raises(LockTimeoutError) as caught:
            store.patch(A, {"label": "x"}, timeout=0.3)
        assert 0.25 < time.monotonic() - begun < 0.3 + SOON_S
        assert caught.value.key == A
        assert caught.value.hint
        assert str(holder.process.pid) in (caught.value.holder or "")
        assert (caught.value.held_s or 0) > 0
        assert caught.value.waited_s >= 0.25
        holder.say("go")
        holder.hear()
    assert "label" not in (store.get(A) or {})


def test_held_locks_names_the_holder_and_nothing_afterwards(store: Store) -> None:
    with child(working.hold, store.path, A) as holder:
        holder.hear()
        (lock,) = held_locks(store)
        assert (lock.key, lock.scope, lock.pid) == (A, "session", holder.process.pid)
        assert (lock.operation, lock.verdict) == ("update", "alive")
        holder.say("go")
        holder.hear()
        assert held_locks(store) == []


@pytest.mark.parametrize("end", ["kill", "exit", "exec"])
def test_holder_that_ends_in_any_way_frees_its_lock(store: Store, end: str) -> None:
    targets: dict[str, Callable[..., None]] = {
        "kill": working.hold,
        "exit": working.exit_while_holding,
        "exec": working.exec_while_holding,
    }
    with child(targets[end], store.path, A) as holder:
        holder.hear()
        if end == "kill":
            os.kill(holder.process.pid, signal.SIGKILL)
        else:
            holder.say("go")
        begun = time.monotonic()
        store.patch(A, {"label": "after"}, timeout=10)
        assert time.monotonic() - begun < SOON_S
        if end == "exec":
            assert holder.process.is_alive(), "the pid lives on in another program"
    assert (store.get(A) or {})["label"] == "after"
    assert held_locks(store) == []


def test_forked_child_neither_frees_nor_keeps_the_lock(store: Store) -> None:
    with child(working.fork_while_holding, store.path, A) as holder:
        forked = holder.hear()
        assert (store.get("agent:main:other") or {})["by"] == "the forked child"
        with pytest.raises(LockTimeoutError):
            store.patch(A, {"label": "too early"}, timeout=0.2)
        holder.say("go")
        assert holder.hear() == "done"
        begun = time.monotonic()
        store.patch(A, {"label": "after"}, timeout=10)
        assert time.monotonic() - begun < SOON_S
        os.kill(forked, signal.SIGKILL)
    assert (store.get(A) or {})["by"] == "the parent"


def test_lock_of_a_killed_parent_does_not_live_on_in_its_forked_child(
    store: Store,
) -> None:
    with child(working.fork_while_holding, store.path, A) as holder:
        forked = holder.hear()
        holder.kill()
        begun = time.monotonic()
        store.patch(A, {"label": "after"}, timeout=10)
        assert time.monotonic() - begun < SOON_S
        os.kill(forked, signal.SIGKILL)
    assert "by" not in (store.get(A) or {})


def test_update_all_passes_while_a_session_is_held(store: Store) -> None:
    with child(working.hold, store.path, A) as holder:
        holder.hear()
        begun = time.monotonic()
        store.update_all(lambda every: every[OTHERS[0]].update(label="bulk"))
        store.save({OTHERS[1]: entry(label="bulk")})
        assert time.monotonic() - begun < SOON_S
        holder.say("go")
        holder.hear()


def test_lock_folder_never_grows(store: Store) -> None:
    with open_store(store.path) as other:
        for number in range(200):
            other.put(f"agent:main:temporary:{number}", entry())
            other.delete(f"agent:main:temporary:{number}")
    names = {path.name for path in store.paths.sidecar.iterdir()}
    assert names <= {"lock", "tmp", "live", "stats"}
