"""Migrations by real runners on both databases: killed in the middle, taken over, steered."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sessionstore.migration import enable_mirror
from sessionstore.store import open_store
from tests.dashboard.jobs.conftest import Jobs

pytestmark = pytest.mark.slow

SESSIONS = 4000


class Big:
    """A store in the legacy layout, large enough to be caught in the middle of its migration."""

    def __init__(self, jobs: Jobs, agent: str = "big") -> None:
        self.jobs = jobs
        self.folder = jobs.state / "agents" / agent / "sessions"
        self.folder.mkdir(parents=True)
        self.file = self.folder / "sessions.json"
        self.entries = {
            f"agent:{agent}:direct:{number:06}": {
                "sessionId": f"id-{number}",
                "updatedAt": 1_790_000_000_000 + number,
                "unknown": {"kept": [number, None, "ü"]},
            }
            for number in range(SESSIONS)
        }
        self.file.write_text(json.dumps(self.entries, indent=2))
        self.file.chmod(0o600)

    @property
    def staged(self) -> int:
        """How many sessions a run has written beside the store."""
        folders = self.folder.glob(".sessionstore/*/runs/*/sessions.d")
        return sum(len(list(folder.iterdir())) for folder in folders)

    def wait_until_staging(self, *, s: float = 60) -> None:
        deadline = time.monotonic() + s
        while self.staged < 200:
            assert time.monotonic() < deadline, self.jobs.errors
            time.sleep(0.005)

    def assert_migrated(self) -> None:
        """Every session is there and equal, one backup is kept, and nothing else is left."""
        with open_store(self.file) as store:
            assert store.layout == "directory"
            assert store.load() == self.entries
        [kept] = self.folder.glob("sessions.json.*")
        assert json.loads(kept.read_text()) == self.entries
        assert self.staged == 0
        assert sorted(path.name for path in self.folder.iterdir()) == [
            ".sessionstore",
            "sessions.d",
            kept.name,
        ]

    def assert_untouched(self) -> None:
        """The store is as it was."""
        assert json.loads(self.file.read_text()) == self.entries
        assert sorted(path.name for path in self.folder.iterdir()) == [
            ".sessionstore",
            "sessions.json",
        ]


def migrate(jobs: Jobs, *agents: str) -> int:
    asked: int = jobs.result(jobs.start("migrate", *agents))
    return asked


def item_of(report: dict[str, Any], job: int) -> dict[str, Any]:
    return next(item for item in report["items"] if item["job_id"] == job)


def test_a_migration_goes_on_after_everything_was_killed(jobs: Jobs) -> None:
    big = Big(jobs)
    job = migrate(jobs, "big")
    runner = jobs.runner()
    big.wait_until_staging()
    runner.kill()
    runner.wait(10)
    time.sleep(3.5)  # the lease of the dead
    assert jobs.runner("--once").wait(90) == 0
    report = jobs.report()
    assert item_of(report, job)["state"] == "done"
    assert item_of(report, job)["attempts"] == 2
    assert item_of(report, job)["report"]["outcome"] == "migrated"
    big.assert_migrated()


@pytest.mark.parametrize("jobs", ["sqlite"], indirect=True)
def test_another_runner_takes_a_migration_over(jobs: Jobs) -> None:
    big = Big(jobs)
    job = migrate(jobs, "big")
    first = jobs.runner()
    big.wait_until_staging()
    second = jobs.runner()
    first.kill()
    report = jobs.wait_until_finished(job, s=90)
    assert second.poll() is None
    assert item_of(report, job)["state"] == "done"
    big.assert_migrated()


def test_a_paused_migration_stops_in_the_middle_and_goes_on(jobs: Jobs) -> None:
    big = Big(jobs)
    job = migrate(jobs, "big")
    steering = jobs.start("steer", str(job), "pause", str(big.folder))
    jobs.runner()
    jobs.result(steering)
    deadline = time.monotonic() + 40
    while (state := jobs.report()["jobs"][0]["state"]) != "paused":
        assert state == "running", jobs.errors
        assert time.monotonic() < deadline
    item = item_of(jobs.report(), job)
    assert (item["state"], item["report"]) == ("waiting", None)
    assert 0 < item["part_done"] <= item["part_total"] == SESSIONS
    big.assert_untouched()
    jobs.result(jobs.start("steer", str(job), "resume", ""))
    jobs.wait_until_finished(job, s=90)
    big.assert_migrated()


@pytest.mark.parametrize("jobs", ["sqlite"], indirect=True)
def test_a_killed_command_is_finished_by_the_same_command(jobs: Jobs) -> None:
    big = Big(jobs)
    arguments = ("manage.py", "sessions", "migrate", "--agent", "big", "--json")
    command = jobs.start_program(*arguments)
    big.wait_until_staging()
    command.kill()
    command.wait(10)
    again = jobs.start_program(*arguments)
    out, _err = again.communicate(timeout=90)
    assert again.returncode == 0, jobs.errors
    told = json.loads(out)["stores"][0]
    assert (told["outcome"], told["agent"]) == ("migrated", "big")
    big.assert_migrated()
    assert len(jobs.report()["jobs"]) == 1


@pytest.mark.parametrize("jobs", ["sqlite"], indirect=True)
def test_runners_keep_up_the_mirror_of_a_store_and_one_takes_over(jobs: Jobs) -> None:
    with open_store(jobs.store_path("main")) as store:
        enable_mirror(store)
        runners = [jobs.runner(), jobs.runner()]
        copy = jobs.store_path("main") / "sessions.json"
        _wait_for_copy(copy, jobs, "agent:main:0")
        store.put("agent:main:one-more", {"sessionId": "one-more"})
        _wait_for_copy(copy, jobs, "agent:main:one-more")
        runners[0].kill()
        store.put("agent:main:after", {"sessionId": "after"})
        _wait_for_copy(copy, jobs, "agent:main:after")
        assert json.loads(copy.read_text()) == store.load()


def _wait_for_copy(copy: Path, jobs: Jobs, key: str, *, s: float = 60) -> None:
    deadline = time.monotonic() + s
    while not copy.exists() or key not in json.loads(copy.read_text()):
        assert time.monotonic() < deadline, jobs.errors
        time.sleep(0.1)
