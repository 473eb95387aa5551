"""Changes through the API while writers are at work: nothing that they write is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from dashboard.api import limits
from sessionstore import held_locks
from sessionstore.store import Store

from .conftest import KEY, Program, code_of

pytestmark = pytest.mark.django_db

UPDATES = 150
#: Counts up one field as a gateway does, each time from what is there.
WRITER = f"""
import sys, time
from sessionstore import open_store
store = open_store(sys.argv[1])
for _ in range({UPDATES}):
    store.update({KEY!r}, lambda entry: {{**entry, "totalTokens": entry["totalTokens"] + 1}})
    time.sleep(0.004)
"""


def test_merged_patches_and_a_writers_updates_all_arrive(
    operator: Program, ada: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANGES", 10**6)
    monkeypatch.setattr(limits, "REQUESTS", 10**6)
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(store.path)])
    opened: dict[str, str] = {}
    patches, value = 0, ""
    while process.poll() is None or patches < 5:
        value = f"round {patches}"
        answer = operator.patch(ada, {"fields": {"category": value}, "opened": opened})
        assert answer.status_code == 200, answer.text
        opened, patches = {"category": value}, patches + 1
    assert process.returncode == 0
    entry = store.get(KEY) or {}
    assert (entry["totalTokens"], entry["category"]) == (1 + UPDATES, value)


def test_the_entity_tag_is_compared_under_the_lock(
    operator: Program, ada: str, store: Store
) -> None:
    etag = operator.get(ada)["ETag"]
    holding, done = threading.Event(), threading.Event()

    def change(fresh: Any) -> Any:
        holding.set()
        done.wait(60)
        return {**fresh, "totalTokens": 50}

    writer = threading.Thread(target=lambda: store.update(KEY, change))
    writer.start()
    assert holding.wait(60)
    # The entry is still the one of the tag when the request looks, and another once it may write:
    # the writer goes on when the request waits for its lock, and not before.
    answered = threading.Event()

    def release() -> None:
        while not answered.is_set():
            if any(lock.waiters for lock in held_locks(store)):
                done.set()
                return
            time.sleep(0.01)

    releasing = threading.Thread(target=release)
    releasing.start()
    answer = operator.patch(ada, {"fields": {"label": "New"}}, if_match=etag)
    waited = done.is_set()
    answered.set()
    done.set()
    releasing.join()
    writer.join()
    assert waited
    assert code_of(answer) == "moved"
    entry = store.get(KEY) or {}
    assert (entry["label"], entry["totalTokens"]) == ("Ada", 50)
