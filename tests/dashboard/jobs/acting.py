"""A kind of job whose every item does what its params say, and a runner inside the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import OperationalError

from dashboard import scope
from dashboard.acting import Actor
from dashboard.jobs import claiming, life, queue
from dashboard.jobs.kinds import ItemResult
from dashboard.jobs.progress import Progress
from dashboard.jobs.running import run_job
from dashboard.models import Job, JobItem
from dashboard.roles import role_of
from dashboard.services.problems import Problem, ProblemError

KIND = "test.act"


class Acts:
    """Does what items say and remembers it. ``before`` is called with each item first."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.scopes: list[frozenset[str] | None] = []
        self.actors: list[Actor] = []
        self.attempts: list[int] = []
        self.before: Callable[[Job, JobItem], object] = lambda job, item: None

    def __call__(self, job: Job, item: JobItem, actor: Actor) -> ItemResult:
        self.before(job, item)
        self.ran.append(item.key)
        self.scopes.append(scope.current())
        self.actors.append(actor)
        self.attempts.append(item.attempts)
        does = item.params.get("does", "done")
        if does == "problem":
            raise ProblemError(Problem("Locked", "Somebody holds it.", "Wait.", 409))
        if does == "crash":
            raise RuntimeError("agent:main:secret")
        if does == "database":
            raise OperationalError("database is locked")
        if does == "retry-once":
            does = "retry" if item.retries == 0 else "done"
        return ItemResult(does, item.params.get("says", ""), item.params.get("change_id"))


def actor_for(user: User, **fields: Any) -> Actor:
    return Actor(user.pk, user.get_username(), role_of(user) or "", request_id="r-1", **fields)


def ask(user: User, *does: str, store_id: str = "", **fields: Any) -> Job:
    """Ask for a job with an item for each word."""
    items = [(store_id, f"item {at}", {"does": word}) for at, word in enumerate(does)]
    fields = {"title": "Do it", "items": items, **fields}
    return queue.ask(fields.pop("actor", None) or actor_for(user), kind=KIND, **fields)


def run(*, stopping: Callable[[], bool] = lambda: False) -> claiming.Hold | None:
    """Claim the next job and run it as far as it goes."""
    hold = claiming.claim(life.new_name())
    if hold is not None:
        run_job(hold, Progress(), stopping=stopping)
    return hold


def states(job: Job) -> Sequence[str]:
    return list(job.items.order_by("position").values_list("state", flat=True))


def due_now() -> None:
    """Let the pauses of all items and jobs pass."""
    JobItem.objects.update(not_before=None)
    now = Job.objects.order_by("created_at").values_list("created_at", flat=True).first()
    assert now is not None
    Job.objects.update(not_before=now)
