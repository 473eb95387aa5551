"""Uses a console of its own: asks for jobs, claims them, reports. Prints JSON.

Run as a program: ``child.py ask|claim|report ...``; see the functions below. ``child.py serve``
takes one such call after the other, as lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django


def ask(log: str, how: str) -> list[int]:
    """Ask for jobs as an operator. ``how`` is JSON: a list of jobs, each a list of item params.

    The sessions are those of an agent; with "loose" in the params the item has no store.
    """
    from django.contrib.auth.models import User

    from dashboard.acting import Actor
    from dashboard.jobs.queue import ask as ask_for
    from dashboard.roles import assign_role
    from dashboard.services.fleet import fleet
    from tests.dashboard.jobs.visiting import KIND

    bob, is_new = User.objects.get_or_create(username="bob")
    if is_new:
        assign_role(bob, "operator")
    stores = {reader.name: reader.id for reader in fleet().scan().readers}
    asked = []
    for items in json.loads(how):
        rows = []
        for params in items:
            agent = params.get("agent", "main")
            store_id = "" if params.get("loose") else stores[agent]
            rows.append((store_id, f"agent:{agent}:{params['session']}", params))
        job = ask_for(
            Actor(bob.pk, "bob", "operator", request_id="request-1"),
            kind=KIND,
            title=f"Visit {len(rows)} sessions",
            params={"log": log},
            items=rows,
        )
        asked.append(job.pk)
    return asked


def migrate(*agents: str) -> int:
    """Ask for a migration of the stores of these agents, as an admin would from a page."""
    from dashboard.acting import Actor
    from dashboard.jobs.queue import ask as ask_for
    from dashboard.services.fleet import fleet
    from dashboard.services.migration_work import RUN

    readers = [reader for reader in fleet().scan().readers if reader.agent in agents]
    job = ask_for(
        Actor(None, "alice", "admin", request_id="request-1"),
        kind=RUN,
        title="Migrate",
        params={"guard": False, "understood": True},
        items=[(reader.id, reader.name, {}) for reader in readers],
    )
    return int(job.pk)


def tidy_plan(agent: str, days: str) -> str:
    """Ask for a plan that archives what was untouched for so long; its id."""
    from dashboard.acting import Actor
    from dashboard.services.fleet import fleet
    from dashboard.services.tidy_asking import ask_plan
    from sessionstore.maintenance import MaintenancePolicy

    [reader] = [reader for reader in fleet().scan().readers if reader.agent == agent]
    policy = MaintenancePolicy(prune_after_s=int(days) * 86_400.0)
    return str(ask_plan(Actor(None, "alice", "admin"), reader, policy).pk)


def tidy_apply(plan_id: str) -> int:
    """Ask for a plan to be applied, as its page shows it; the job."""
    from dashboard.acting import Actor
    from dashboard.services.tidy_asking import ask_apply
    from dashboard.services.tidy_items import WantedItems
    from dashboard.services.tidy_plan_pages import plan_page

    seen = plan_page(plan_id, WantedItems())
    job = ask_apply(Actor(None, "alice", "admin"), plan_id, digest=seen.seen, reason="too much")
    return int(job.pk)


def tidy_take_back(plan_id: str) -> int:
    """Ask for all of a run to be taken back; the job."""
    from dashboard.acting import Actor
    from dashboard.services.tidy_asking import ask_take_back

    job = ask_take_back(Actor(None, "alice", "admin"), plan_id, None, reason="too early")
    return int(job.pk)


def tidied(plan_id: str) -> dict[str, object]:
    """What became of a plan."""
    from dashboard.models import TidyPlan

    row = TidyPlan.objects.get(pk=plan_id)
    return {
        "outcomes": row.outcomes,
        "predicted_bytes": row.predicted_bytes,
        "achieved_bytes": row.achieved_bytes,
    }


def steer(job_id: str, step: str, folder: str) -> str:
    """Pause, resume or cancel a job, as soon as its run stages sessions there; its state then."""
    from dashboard.acting import Actor
    from dashboard.jobs import queue
    from dashboard.models import Job

    while folder and not next(
        Path(folder).glob(".sessionstore/*/runs/*/sessions.d/*50.json"), None
    ):
        time.sleep(0.002)
    getattr(queue, step)(Actor(None, "alice", "admin", request_id="request-1"), int(job_id))
    return str(Job.objects.get(pk=job_id).state)


def claim(start_file: str, seconds: str) -> list[int]:
    """Wait for a file, then claim as much as there is, as fast as it goes; what was got."""
    from dashboard.jobs import claiming, life

    owner = life.new_name()
    while not Path(start_file).exists():
        time.sleep(0.001)
    got = []
    deadline = time.monotonic() + float(seconds)
    while time.monotonic() < deadline:
        if hold := claiming.claim(owner):
            got.append(hold.job_id)
    return got


def report() -> dict[str, object]:
    """Every job, every item, the runners and the audit."""
    from dashboard.models import AuditEvent, Job, JobItem, JobRunner

    names = ("pk", "state", "done", "failed", "skipped", "total", "attempts", "owner", "outcome")
    item_names = (
        *("job_id", "position", "state", "attempts", "deaths", "in_flight", "message"),
        *("part_done", "part_total", "report"),
    )
    events = AuditEvent.objects.order_by("sequence").values_list("action", "outcome")
    return {
        "jobs": list(Job.objects.order_by("pk").values(*names)),
        "items": list(JobItem.objects.order_by("job_id", "position").values(*item_names)),
        "runners": JobRunner.objects.count(),
        "events": list(events),
    }


commands: dict[str, Callable[..., object]] = {
    "ask": ask,
    "claim": claim,
    "migrate": migrate,
    "report": report,
    "steer": steer,
    "tidied": tidied,
    "tidy_apply": tidy_apply,
    "tidy_plan": tidy_plan,
    "tidy_take_back": tidy_take_back,
}


def serve() -> None:
    """Answer calls until there are no more, each with a connection of its own."""
    from django.db import connections

    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(commands[name](*arguments)), flush=True)
        connections.close_all()


if __name__ == "__main__":
    os.umask(0o077)
    django.setup()
    if sys.argv[1] == "serve":
        serve()
    else:
        print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))
