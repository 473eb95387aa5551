"""The probes: alive says only that, ready says why not, and details are for signed-in eyes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_livez_says_ok_and_nothing_else(client: Client) -> None:
    response = client.get("/livez")
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_readyz_is_ok_when_the_state_directory_can_be_listed(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.STATE_DIR = tmp_path
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_readyz_names_what_fails_without_details_for_strangers(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.STATE_DIR = tmp_path / "missing"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.content == b"not ready: state directory\n"


def test_readyz_shows_details_when_signed_in(
    viewer_client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.STATE_DIR = tmp_path / "missing"
    response = viewer_client.get("/readyz")
    assert response.status_code == 503
    assert str(tmp_path / "missing") in response.text
    assert "database: ok" in response.text


def test_script_policy_report_is_logged_only_when_signed_in(
    client: Client, viewer_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    report = json.dumps(
        {"csp-report": {"effective-directive": "script-src\n", "blocked-uri": "inline"}}
    )
    for sender, logged in ((client, 0), (viewer_client, 1)):
        response = sender.post("/csp-report/", report, content_type="application/csp-report")
        assert response.status_code == 204
        assert caplog.text.count("script-src\\n blocked inline") == logged


def test_malformed_script_policy_report_is_refused(viewer_client: Client) -> None:
    for body in (b"[]", b"{", b'{"csp-report": 1}', b"\xff"):
        response = viewer_client.post("/csp-report/", body, content_type="application/json")
        assert response.status_code == 400
