"""A store that hangs holds up nobody; ids are found in constant time, collisions and all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from dashboard.services import refs
from dashboard.services.readers import Reader, read_all
from dashboard.services.refs import Refs
from dashboard.services.workers import BusyError, Worker
from sessionstore.paths import store_paths


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("test")
    yield worker
    worker.close()


def test_a_slow_call_gives_up_waiting_and_goes_on(worker: Worker) -> None:
    release, done = threading.Event(), threading.Event()

    def slow() -> None:
        release.wait(10)
        done.set()

    with pytest.raises(BusyError):
        worker.call(slow, budget_s=0.02)
    release.set()
    assert done.wait(5)
    assert worker.call(lambda: 7, budget_s=5) == 7


def test_a_hanging_call_turns_the_next_away_at_once(worker: Worker) -> None:
    release = threading.Event()
    with pytest.raises(BusyError):
        worker.call(lambda: release.wait(10), budget_s=0.02)
    began = time.monotonic()
    with pytest.raises(BusyError):
        worker.call(lambda: 7, budget_s=0.02)
    assert time.monotonic() - began < 0.02
    release.set()


def test_an_exception_reaches_whoever_waits(worker: Worker) -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        worker.call(fail, budget_s=5)


def test_one_hanging_store_does_not_hold_up_the_others() -> None:
    release = threading.Event()
    readers = [Reader(store_paths(f"/nowhere/{n}"), store_id=str(n)) for n in range(5)]
    began = time.monotonic()
    answers = read_all(
        readers,
        lambda paths: release.wait(10) if paths.store_path.parent.name == "2" else True,
        budget_s=0.1,
    )
    assert time.monotonic() - began < 0.5
    assert [answers[str(n)] is True for n in range(5)] == [True, True, False, True, True]
    release.set()
    for reader in readers:
        reader.close()


def test_an_id_leads_back_to_its_key() -> None:
    known = Refs()
    known.learn(["agent:main:main", "\ud800"])
    for key in ("agent:main:main", "\ud800"):
        assert known.key(known.of(key)) == key
    assert known.key("a" * 16) is None


def test_ids_that_begin_alike_become_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def alike(text: str) -> str:
        return "a" * 16 + text.ljust(48, "b")

    monkeypatch.setattr(refs, "digest", alike)
    known = Refs()
    first = known.of("one")
    assert first == "a" * 16
    assert known.of("two") == alike("two")
    assert known.of("one") == alike("one")
    assert known.key("a" * 16) is None
    assert (known.key(alike("one")), known.key(alike("two"))) == ("one", "two")
