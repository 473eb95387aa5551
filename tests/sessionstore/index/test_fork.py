"""An index in a process that was forked while another thread worked on it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from sessionstore import open_store
from sessionstore.index import Index
from sessionstore.index.table import Delta, Table
from tests.sessionstore.helpers import entry
from tests.sessionstore.index.conftest import MakeIndex
from tests.sessionstore.index.looks import keys

KEYS = [f"agent:main:{number}" for number in range(4)]


def fork_and_look(index: Index) -> int:
    """How many sessions a forked child sees; negative where a signal had to end it."""
    pid = os.fork()
    if pid == 0:
        seen = 99
        signal.alarm(10)
        try:
            index.refresh()
            seen = len(keys(index)) if index.summary().sessions == len(KEYS) else 98
        finally:
            os._exit(seen)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("place", ["apply", "_set"])
def test_child_forked_during_a_refresh_looks_for_itself(
    store_file: Path,
    make_index: MakeIndex,
    watch: str,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    with open_store(store_file) as store:
        store.save({key: entry() for key in KEYS[:2]})
        index = make_index(watch=watch)
        store.save({key: entry() for key in KEYS[2:]})
    inside, go_on = threading.Event(), threading.Event()
    parent, real = os.getpid(), getattr(Table, place)

    def slow(self: Table, *arguments: Delta) -> int:
        if os.getpid() == parent and threading.current_thread() is refreshing:
            inside.set()
            go_on.wait(30)
        result: int = real(self, *arguments)
        return result

    monkeypatch.setattr(Table, place, slow)
    refreshing = threading.Thread(target=index.refresh)
    refreshing.start()
    assert inside.wait(30)
    seen = fork_and_look(index)  # only this thread is in the child: nobody gives the locks back
    go_on.set()
    refreshing.join(30)
    assert seen == len(KEYS)
    assert keys(index) == keys(make_index(watch=watch))
