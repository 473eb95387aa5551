"""What every answer carries, and which requests are refused before any view is reached."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def policy_of(response: Any) -> dict[str, str]:
    parts = response["Content-Security-Policy"].split(";")
    return dict(part.strip().split(" ", 1) for part in parts)


@pytest.mark.parametrize("path", ["/login/", "/account/", "/nowhere", "/readyz"])
def test_script_policy_allows_nothing_but_own_files(viewer_client: Client, path: str) -> None:
    policy = policy_of(viewer_client.get(path))
    assert policy.pop("report-uri") == "/csp-report/"
    for directive in ("default-src", "base-uri", "object-src", "frame-ancestors"):
        assert policy.pop(directive) == "'none'"
    assert set(policy.values()) == {"'self'"}
    assert {"script-src", "style-src", "form-action", "connect-src"} <= set(policy)


@pytest.mark.parametrize("path", ["/login/", "/account/", "/nowhere", "/livez"])
def test_every_answer_carries_the_protective_headers(viewer_client: Client, path: str) -> None:
    headers = viewer_client.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert len(headers["X-Request-ID"]) == 16


@pytest.mark.parametrize("host", ["elsewhere.example", "localhost.elsewhere.example", "a b"])
def test_foreign_host_names_are_refused(client: Client, host: str) -> None:
    response = client.get("/login/", headers={"Host": host})
    assert response.status_code == 400
    assert "SESSIONSTORE_ALLOWED_HOSTS" in response.text


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_changes_asked_for_by_other_sites_are_refused(
    client: Client, carol: User, site: str
) -> None:
    form = {"username": "carol", "password": PASSWORD}
    response = client.post("/login/", form, headers={"Sec-Fetch-Site": site})
    assert response.status_code == 403
    assert "another site" in response.text


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_changes_asked_for_by_our_own_pages_pass(client: Client, carol: User, site: str) -> None:
    form = {"username": "carol", "password": PASSWORD}
    response = client.post("/login/", form, headers={"Sec-Fetch-Site": site})
    assert response.status_code == 302


def test_links_from_other_sites_may_be_followed(viewer_client: Client) -> None:
    response = viewer_client.get("/account/", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 200


def test_changes_from_a_foreign_origin_are_refused(carol: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/login/")
    form = {
        "username": "carol",
        "password": PASSWORD,
        "csrfmiddlewaretoken": client.cookies["sessionstore_csrf"].value,
    }
    foreign = client.post("/login/", form, headers={"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403
    own = client.post("/login/", form, headers={"Origin": "http://testserver"})
    assert own.status_code == 302


def test_cookies_are_secure_when_the_request_came_over_tls(client: Client, carol: User) -> None:
    form = {"username": "carol", "password": PASSWORD}
    plain = client.post("/login/", form)
    assert not plain.cookies["sessionstore_session"]["secure"]
    over_tls = client.post("/login/", form, secure=True)
    assert over_tls.cookies["sessionstore_session"]["secure"]
    assert over_tls.cookies["sessionstore_csrf"]["secure"]


def test_a_forged_scheme_does_not_count_as_tls(client: Client, carol: User) -> None:
    form = {"username": "carol", "password": PASSWORD}
    response = client.post("/login/", form, headers={"X-Forwarded-Proto": "https"})
    assert not response.cookies["sessionstore_session"]["secure"]
