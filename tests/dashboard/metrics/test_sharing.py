"""Live parts of several viewers share a look; nothing crosses a scope or a language."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.utils import translation

from dashboard import scope
from dashboard.services.sharing import Shared


class Looks:
    """Counts looks and gives the number of each."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


def test_a_look_of_lately_is_shared() -> None:
    shared: Shared[int] = Shared(60)
    look = Looks()
    assert [shared.get("a", look), shared.get("a", look), shared.get("b", look)] == [1, 1, 2]


def test_an_old_look_is_not_shared() -> None:
    shared: Shared[int] = Shared(0)
    look = Looks()
    assert [shared.get("a", look), shared.get("a", look)] == [1, 2]


def test_nothing_crosses_from_one_scope_or_language_to_another() -> None:
    shared: Shared[int] = Shared(60)
    look = Looks()
    assert shared.get("a", look) == 1
    with scope.limited_to({"work"}):
        assert shared.get("a", look) == 2
    with scope.limited_to({"main"}):
        assert shared.get("a", look) == 3
    with scope.limited_to({"work"}):
        assert shared.get("a", look) == 2
    with translation.override("de"):
        assert shared.get("a", look) == 4


def test_who_asks_meanwhile_waits_for_the_look_that_goes_on() -> None:
    shared: Shared[int] = Shared(60)
    looks, go, begun = Looks(), threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        assert go.wait(30)
        return looks()

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(shared.get, "a", slow)
        assert begun.wait(30)
        others = [pool.submit(shared.get, "a", slow) for _ in range(3)]
        go.set()
        assert [one.result(30) for one in (first, *others)] == [1, 1, 1, 1]


def test_a_failure_is_told_to_all_and_forgotten_with_its_time() -> None:
    shared: Shared[int] = Shared(0)

    def fails() -> int:
        raise LookupError("nothing there")

    with pytest.raises(LookupError):
        shared.get("a", fails)
    assert shared.get("a", Looks()) == 1
