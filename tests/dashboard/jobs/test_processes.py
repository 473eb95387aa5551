"""Runners as real processes, on both databases: killed, stopped, raced, suspended."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.jobs.conftest import SESSIONS, Jobs

pytestmark = pytest.mark.slow


def items(count: int = SESSIONS, **params: Any) -> list[dict[str, Any]]:
    return [{"session": number, **params} for number in range(count)]


def results(report: dict[str, Any], job: int) -> list[str]:
    return [item["state"] for item in report["items"] if item["job_id"] == job]


def test_a_runner_runs_what_was_asked_for_and_stops_when_told(jobs: Jobs) -> None:
    [job] = jobs.ask(items())
    runner = jobs.runner()
    report = jobs.wait_until_finished(job)
    assert report["runners"] == 1
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(20) == 0
    assert results(report, job) == ["done"] * SESSIONS
    assert [line["position"] for line in jobs.log() if line["what"] == "began"] == [
        *range(SESSIONS)
    ]
    assert set(map(tuple, jobs.visits().values())) == {(job,)}
    assert report["events"] == [["job.run", "started"], ["job.run", "done"]]
    assert jobs.report()["runners"] == 0


def test_another_runner_takes_over_when_one_is_killed(jobs: Jobs) -> None:
    [job] = jobs.ask(items(pause_s=0.15))
    first = jobs.runner()
    jobs.wait_for_log(lambda log: len(log) >= 9)
    second = jobs.runner()
    first.kill()
    killed_at = len(jobs.log())
    report = jobs.wait_until_finished(job)
    assert results(report, job) == ["done"] * SESSIONS
    began = Counter(line["position"] for line in jobs.log() if line["what"] == "began")
    assert set(began) == {*range(SESSIONS)}
    again = [position for position, times in began.items() if times > 1]
    assert len(again) <= 1
    assert all(began[position] == 2 for position in again)
    assert {line["pid"] for line in jobs.log()[killed_at + 1 :]} == {second.pid}
    assert set(map(tuple, jobs.visits().values())) == {(job,)}
    assert [job["attempts"] for job in report["jobs"]] == [2]


def test_a_job_goes_on_after_everything_was_killed(jobs: Jobs) -> None:
    [job] = jobs.ask(items(pause_s=0.15))
    first = jobs.runner()
    jobs.wait_for_log(lambda log: len(log) >= 5)
    first.kill()
    first.wait(10)
    time.sleep(3.5)
    assert jobs.report()["jobs"][0]["state"] == "running"
    assert jobs.runner("--once").wait(60) == 0
    assert results(jobs.report(), job) == ["done"] * SESSIONS


def test_an_item_that_kills_its_runner_is_given_up_and_the_others_are_run(jobs: Jobs) -> None:
    [job] = jobs.ask([{"session": 0}, {"session": 1, "dies": 99}, {"session": 2}])
    deaths = 0
    while jobs.runner("--once").wait(60) != 0:
        deaths += 1
        time.sleep(3.1)  # the lease of the dead
    report = jobs.report()
    assert deaths == 3
    assert results(report, job) == ["done", "failed", "done"]
    assert "ended 3 times" in report["items"][1]["message"]


def test_an_item_whose_runner_died_once_is_run_again_knowing_it(jobs: Jobs) -> None:
    [job] = jobs.ask([{"session": 0, "dies": 1}])
    assert jobs.runner("--once").wait(60) == -signal.SIGKILL
    assert jobs.visits()["agent:main:0"] == [job]
    time.sleep(3.1)
    assert jobs.runner("--once").wait(60) == 0
    assert [line["attempts"] for line in jobs.log() if line["what"] == "began"] == [1, 2]
    assert jobs.visits()["agent:main:0"] == [job]


def test_a_suspended_runner_loses_its_job_and_writes_nothing_any_more(jobs: Jobs) -> None:
    [job] = jobs.ask([{"session": 0, "pause_s": 0.5}, {"session": 1, "pause_s": 0.5}])
    first = jobs.runner()
    jobs.wait_for_log(lambda log: len(log) >= 1)
    os.kill(first.pid, signal.SIGSTOP)
    second = jobs.runner()
    report = jobs.wait_until_finished(job)
    before = report["jobs"], report["items"]
    os.kill(first.pid, signal.SIGCONT)
    jobs.wait_for_log(lambda log: (first.pid, "ended") in {(x["pid"], x["what"]) for x in log})
    time.sleep(0.5)
    report = jobs.report()
    assert (report["jobs"], report["items"]) == before
    assert report["events"].count(["job.run", "done"]) == 1
    assert first.poll() is None  # it goes on with other jobs
    assert [x["position"] for x in jobs.log() if x["pid"] == first.pid] == [0, 0]
    assert "taken over or ended meanwhile" in jobs.errors
    second.kill()
    [other] = jobs.ask([{"session": 2}])
    jobs.wait_until_finished(other)


def test_a_runner_that_is_told_to_stop_finishes_its_item_and_gives_the_job_back(
    jobs: Jobs,
) -> None:
    [job] = jobs.ask(items(pause_s=0.3))
    runner = jobs.runner()
    jobs.wait_for_log(lambda log: len(log) == 3)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(20) == 0
    report = jobs.report()
    assert report["jobs"][0]["state"] == "waiting"
    assert Counter(results(report, job)) == {"done": 2, "waiting": SESSIONS - 2}
    assert not any(item["in_flight"] for item in report["items"])
    jobs.runner("--once").wait(60)
    assert results(jobs.report(), job) == ["done"] * SESSIONS
    assert max(item["attempts"] for item in jobs.report()["items"]) == 1


def test_of_two_runners_that_race_for_a_job_one_gets_it(jobs: Jobs, tmp_path: Path) -> None:
    asked = jobs.ask(*[[{"session": 0, "loose": True}] for _round in range(20)])
    start = tmp_path / "start"
    racers = [jobs.start("claim", str(start), "2") for _racer in range(2)]
    time.sleep(2)
    start.touch()
    got = [jobs.result(racer) for racer in racers]
    assert sorted(itertools.chain(*got)) == asked
    assert {job["attempts"] for job in jobs.report()["jobs"]} == {1}


def test_two_runners_give_each_item_one_result_and_one_run(jobs: Jobs) -> None:
    runners = [jobs.runner() for _runner in range(2)]
    jobs.wait_for_runners(2)
    asked = jobs.ask(*[items(3, loose=True, pause_s=0.01) for _round in range(20)])
    report = jobs.wait_until_finished(*asked)
    began = Counter((x["job"], x["position"]) for x in jobs.log() if x["what"] == "began")
    assert len(began) == 60
    assert set(began.values()) == {1}
    assert {item["state"] for item in report["items"]} == {"done"}
    assert {line["pid"] for line in jobs.log()} == {runner.pid for runner in runners}


def test_jobs_on_one_store_wait_for_each_other_and_those_on_another_do_not(jobs: Jobs) -> None:
    for _runner in range(3):
        jobs.runner()
    jobs.wait_for_runners(3)
    main = items(3, pause_s=0.7)
    work = items(3, pause_s=0.7, agent="work")
    asked = jobs.ask(main, main, work)
    jobs.wait_until_finished(*asked)
    spans = {}
    for job in asked:
        times = [line["at"] for line in jobs.log() if line["job"] == job]
        spans[job] = min(times), max(times)
    first, second, elsewhere = (spans[job] for job in asked)
    assert first[1] <= second[0]
    assert elsewhere[0] < first[1]


def test_an_item_that_takes_longer_than_a_lease_is_not_taken_over(jobs: Jobs) -> None:
    [job] = jobs.ask([{"session": 0, "pause_s": 5}])
    runners = [jobs.runner() for _runner in range(2)]
    report = jobs.wait_until_finished(job)
    assert [line["what"] for line in jobs.log()] == ["began", "ended"]
    assert report["jobs"][0]["attempts"] == 1
    assert all(runner.poll() is None for runner in runners)


def test_a_runner_outlives_its_connections_to_the_database(jobs: Jobs) -> None:
    if jobs.server is None:
        pytest.skip("SQLite has no connections to lose")
    [job] = jobs.ask(items(pause_s=0.3))
    runner = jobs.runner()
    jobs.wait_for_log(lambda log: len(log) >= 4)
    jobs.server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = 'fresh' AND pid <> pg_backend_pid()"
    )
    report = jobs.wait_until_finished(job)
    assert results(report, job) == ["done"] * SESSIONS
    assert runner.poll() is None
    assert "the database did not answer" in jobs.errors
    assert set(map(tuple, jobs.visits().values())) == {(job,)}
