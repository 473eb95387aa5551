"""Plans of as many sessions as a plan may have: bounded in queries and in size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.models import JobItem, Plan
from dashboard.services.bulk_selection import MOST
from sessionstore import demo

pytestmark = pytest.mark.django_db


def test_a_plan_of_the_most_sessions_takes_few_queries(
    tmp_path: Path, settings: Any, operator_client: Client
) -> None:
    settings.STATE_DIR = tmp_path
    demo.fill(tmp_path / "agents" / "main" / "sessions", MOST, machine=0.0)
    operator_client.get("/sessions/")
    with CaptureQueriesContext(connection) as queries:
        chosen = operator_client.post("/plans/new/", {"which": "matching"})["Location"]
        sent = {"action": "set_field", "name": "thinkingLevel", "value": "max"}
        plan = operator_client.post(f"{chosen}again/", sent)["Location"]
        page = operator_client.get(f"{plan}?page=3")
    assert len(queries) < 30
    assert page.content.count(b"data-row") == 101
    made = Plan.objects.latest("created_at")
    assert made.total > 0.95 * MOST  # some invented sessions are machines' after all
    applied = operator_client.post(f"{plan}apply/", {"digest": made.digest, "reason": "x"})
    assert applied.status_code == 302
    assert JobItem.objects.count() == made.changing


def test_one_session_more_than_that_is_refused_and_says_the_limit(
    tmp_path: Path, settings: Any, operator_client: Client
) -> None:
    settings.STATE_DIR = tmp_path
    demo.fill(tmp_path / "agents" / "main" / "sessions", MOST + 1, machine=0.0)
    sent = {"which": "matching", "list": "machine=yes"}
    answer = operator_client.post("/plans/new/", sent)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "The selection has 5,001 sessions; a plan takes at most 5,000." in text
    assert not Plan.objects.exists()
