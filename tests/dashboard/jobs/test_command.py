"""``manage.py jobs``: when it refuses, and one round of it inside the test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from dashboard.jobs.kinds import Kind, register
from dashboard.models import Chore, JobRunner
from tests.dashboard.jobs.acting import Acts, ask, states


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Give the signals that the command handles back."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.django_db(transaction=True)
def test_once_runs_every_job_that_may_run_and_ends(bob: User, acts: Acts) -> None:
    jobs = [ask(bob, "done", "failed") for _job in range(3)]
    call_command("jobs", "--once")
    assert [states(job) for job in jobs] == [["done", "failed"]] * 3
    assert not JobRunner.objects.exists()
    assert Chore.objects.exists()


@pytest.mark.django_db
def test_a_read_only_console_has_no_runner(settings: Any) -> None:
    settings.READ_ONLY = True
    with pytest.raises(CommandError, match="SESSIONSTORE_READ_ONLY"):
        call_command("jobs", "--once")


def test_two_kinds_of_one_name_are_a_mistake(acts: Acts) -> None:
    with pytest.raises(ValueError, match="two kinds"):
        register(Kind("test.act", "viewer", acts))
