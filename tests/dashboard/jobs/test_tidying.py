"""Clean-ups whose runners are killed, paused and cancelled in the middle, on both databases."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore.store import open_store
from tests.dashboard.jobs.conftest import Jobs

pytestmark = pytest.mark.slow

SESSIONS = 200
_DAY_MS = 86_400_000


class Stale:
    """A store of old sessions with a transcript each, and one that is new."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.folder: Path = jobs.store_path("stale")
        self.folder.mkdir(parents=True, exist_ok=True)
        at_ms = time.time_ns() // 1_000_000
        entries: dict[str, Any] = {}
        for n in range(SESSIONS):
            entries[f"agent:stale:{n}"] = {"sessionId": f"s-{n}", "updatedAt": at_ms - 90 * _DAY_MS}
            (self.folder / f"s-{n}.jsonl").write_text('{"type":"session"}\n')
        entries["agent:stale:new"] = {"sessionId": "s-new", "updatedAt": at_ms}
        with open_store(self.folder) as store:
            store.save(entries)
            self.entries = store.load()
        self.names = self._names()

    def _names(self) -> set[str]:
        return {path.name for path in self.folder.glob("*.jsonl*")}

    @property
    def left(self) -> int:
        """How many entries are there."""
        return len(list((self.folder / "sessions.d").rglob("agent*.json")))

    def wait_until(self, is_so: Callable[[int], bool]) -> None:
        deadline = time.monotonic() + 60
        while not is_so(self.left):
            assert time.monotonic() < deadline, self.jobs.errors
            time.sleep(0.002)

    def assert_tidied(self) -> None:
        with open_store(self.folder) as store:
            assert list(store.keys()) == ["agent:stale:new"]
        archived = {name.partition(".deleted.")[0] for name in self._names() - self.names}
        assert archived == self.names
        assert not [name for name in self._names() if ".deleted." not in name]

    def assert_as_before(self) -> None:
        with open_store(self.folder) as store:
            assert store.load() == self.entries
        assert self._names() == self.names


def call(jobs: Jobs, *arguments: str) -> Any:
    return jobs.result(jobs.start(*arguments))


def planned(jobs: Jobs) -> str:
    plan: str = call(jobs, "tidy_plan", "stale", "30")
    assert jobs.runner("--once").wait(60) == 0
    return plan


def test_a_clean_up_goes_on_after_its_runner_was_killed_and_is_taken_back(jobs: Jobs) -> None:
    stale = Stale(jobs)
    plan = planned(jobs)
    call(jobs, "tidy_apply", plan)
    runner = jobs.runner()
    stale.wait_until(lambda left: left < SESSIONS - 40)
    runner.kill()
    runner.wait(10)
    assert stale.left > 1
    time.sleep(3.5)  # the lease of the dead
    assert jobs.runner("--once").wait(90) == 0
    stale.assert_tidied()
    told = call(jobs, "tidied", plan)
    assert told["outcomes"] == {"done": SESSIONS}
    assert told["achieved_bytes"] == told["predicted_bytes"]

    call(jobs, "tidy_take_back", plan)
    runner = jobs.runner()
    stale.wait_until(lambda left: left > 40)
    runner.kill()
    runner.wait(10)
    time.sleep(3.5)
    assert jobs.runner("--once").wait(90) == 0
    stale.assert_as_before()
    assert call(jobs, "tidied", plan)["outcomes"] == {"taken-back": SESSIONS}


@pytest.mark.parametrize("jobs", ["sqlite"], indirect=True)
def test_a_paused_clean_up_stops_in_the_middle_and_goes_on(jobs: Jobs) -> None:
    stale = Stale(jobs)
    plan = planned(jobs)
    job = jobs.call("tidy_apply", plan)  # leaves a process that can steer at once
    jobs.runner()
    stale.wait_until(lambda left: left < SESSIONS)
    jobs.call("steer", str(job), "pause", "")
    deadline = time.monotonic() + 40
    while (state := jobs.report()["jobs"][-1]["state"]) == "running":
        assert time.monotonic() < deadline
    if state == "paused":  # else it was done before the pause came to it
        assert stale.left > 0
        call(jobs, "steer", str(job), "resume", "")
        jobs.wait_until_finished(job, s=90)
    stale.assert_tidied()
