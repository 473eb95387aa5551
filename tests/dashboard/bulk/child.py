"""Uses a console of its own: plans and applies, reports. Prints JSON.

Run as a program: ``child.py ask | report``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django


def ask() -> int:
    """Apply a plan about every session as an operator; gives the job."""
    from django.contrib.auth.models import User

    from dashboard.acting import Actor
    from dashboard.roles import assign_role
    from dashboard.services.bulk_apply import apply_plan
    from dashboard.services.bulk_plans import make_plan
    from dashboard.services.bulk_selection import matching
    from dashboard.services.vocabulary import Wanted

    bob = User.objects.create_user("bob")
    assign_role(bob, "operator")
    actor = Actor(bob.pk, "bob", "operator")
    params = {"name": "thinkingLevel", "value": "high"}
    plan = make_plan(actor, matching(Wanted(), store_id=None), "set_field", params, {})
    return apply_plan(actor, plan, digest=plan.digest, reason="x").pk


def report() -> dict[str, Any]:
    """What became of the job and its items, and what was recorded."""
    from dashboard.models import Change, Job, JobItem

    return {
        "job": Job.objects.values("state", "done", "skipped", "failed").get(),
        "items": list(JobItem.objects.values_list("key", "state", "change_id")),
        "changes": list(Change.objects.values_list("pk", "key", "version_id")),
    }


if __name__ == "__main__":
    django.setup()
    print(json.dumps({"ask": ask, "report": report}[sys.argv[1]]()))
