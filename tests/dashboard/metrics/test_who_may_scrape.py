"""``/metrics`` is for whoever has its token: no sign-in, no other token, no clear text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.models import ApiUse, AuditEvent, SignIn
from tests.dashboard.metrics.reports import TOKEN

pytestmark = pytest.mark.django_db

RIGHT = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def with_token(settings: Any, var: Path, watched_demo: Path) -> None:
    settings.METRICS_TOKEN = TOKEN


def test_there_is_no_such_address_without_a_token(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers=RIGHT).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN} {TOKEN}",
        "Bearer \u00e9",
    ],
)
def test_without_the_token_nothing_is_told(client: Client, header: str) -> None:
    response = client.get("/metrics", headers={"Authorization": header} if header else {})
    assert (response.status_code, response.content) == (401, b"")
    assert response["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_in_the_address_counts_for_nothing(client: Client) -> None:
    assert client.get(f"/metrics?token={TOKEN}&access_token={TOKEN}").status_code == 401


def test_a_sign_in_is_no_token(admin_client: Client) -> None:
    response = admin_client.get("/metrics")
    assert (response.status_code, response.content) == (401, b"")


def test_the_token_opens_nothing_else(client: Client) -> None:
    assert client.get("/", headers=RIGHT).status_code == 302
    assert client.get("/api/v1/stores", headers=RIGHT).status_code == 401


def test_a_scrape_is_no_use_of_the_console(admin_client: Client) -> None:
    admin_client.get("/")
    before = list(SignIn.objects.values_list()), list(ApiUse.objects.values_list())
    admin_client.get("/metrics", headers=RIGHT)
    assert (list(SignIn.objects.values_list()), list(ApiUse.objects.values_list())) == before


def test_head_has_the_headers_and_no_body(client: Client) -> None:
    response = client.head("/metrics", headers=RIGHT)
    assert (response.status_code, response.content) == (200, b"")
    assert response["Content-Type"].startswith("text/plain; version=")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_sent_there(client: Client, method: str) -> None:
    assert getattr(client, method)("/metrics", headers=RIGHT).status_code == 405


def test_failures_are_counted_by_address_and_audited_without_the_token(client: Client) -> None:
    wrong = {"Authorization": "Bearer wrong-wrong-wrong-wrong"}
    answers = [client.get("/metrics", headers=wrong) for _ in range(40)]
    statuses = [answer.status_code for answer in answers]
    assert {answer.content for answer in answers} == {b""}
    assert statuses[0] == 401
    assert statuses[-1] == 429
    waiting = client.get("/metrics", headers=RIGHT)
    assert (waiting.status_code, waiting.content) == (429, b"")
    assert int(waiting["Retry-After"]) > 0
    events = AuditEvent.objects.filter(action="metrics", outcome="failed")
    assert 0 < events.count() <= statuses.count(401)
    told = "".join(f"{event.target} {event.reason} {event.details}" for event in events)
    assert "wrong-wrong" not in told


def test_no_header_at_all_is_no_failure(client: Client) -> None:
    for _ in range(40):
        assert client.get("/metrics").status_code == 401
    assert not AuditEvent.objects.filter(action="metrics").exists()


def test_clear_text_is_refused_where_tls_is_a_must(client: Client, settings: Any) -> None:
    settings.HTTPS_ONLY = True
    assert client.get("/metrics", headers=RIGHT).status_code == 403
    assert client.get("/metrics", headers=RIGHT, secure=True).status_code == 200


def test_a_read_only_console_tells_it_too(client: Client, settings: Any) -> None:
    settings.READ_ONLY = True
    assert client.get("/metrics", headers=RIGHT).status_code == 200
