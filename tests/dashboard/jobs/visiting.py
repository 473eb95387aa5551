"""A kind of job that the product does not have, for consoles started with these settings."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig

if TYPE_CHECKING:
    from dashboard.acting import Actor
    from dashboard.jobs.kinds import ItemResult
    from dashboard.models import Job, JobItem

KIND = "test.visit"


class Visiting(AppConfig):
    """Makes the kind known."""

    name = "tests.dashboard.jobs.visiting"
    label = "visiting"

    def ready(self) -> None:
        from dashboard.jobs import kinds

        kinds.register(kinds.Kind(KIND, "operator", visit, title="Visit"))


def visit(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Count a visit in the session's entry, in its real file.

    May be made to dawdle, to fail or to die. Idempotent: of the visits that a job pays to a
    session, one is counted.
    """
    from dashboard.jobs.kinds import ItemResult
    from dashboard.services.fleet import fleet
    from sessionstore.store import open_store

    _note(job, item, "began")

    def counted(entry: Any) -> Any:
        visits = entry.get("visitedBy", [])
        return None if job.pk in visits else {**entry, "visitedBy": [*visits, job.pk]}

    if item.store_id:
        with open_store(fleet().reader(item.store_id).paths.store_path) as store:
            store.update(item.key, counted)
    if item.params.get("dies", 0) >= item.attempts:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(item.params.get("pause_s", 0))
    _note(job, item, "ended")
    says = item.params.get("says", f"visited by {actor.name}")
    return ItemResult(item.params.get("does", "done"), says)


def _note(job: Job, item: JobItem, what: str) -> None:
    line = {
        "what": what,
        "job": job.pk,
        "position": item.position,
        "attempts": item.attempts,
        "pid": os.getpid(),
        "at": time.time(),
    }
    with Path(job.params["log"]).open("a") as log:
        log.write(json.dumps(line) + "\n")
