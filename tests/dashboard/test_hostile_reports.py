"""Reports that are no reports are refused, whatever they hold."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "body",
    ["[" * 8000, '{"csp-report":' * 500, "[1]", "null", '{"csp-report":5}', "1" * 5000, "\udcff"],
    ids=["lists", "objects", "list", "null", "number", "long-number", "no-text"],
)
def test_hostile_policy_report_is_a_bad_request(viewer_client: Client, body: str) -> None:
    data = body.encode("utf-8", "surrogateescape")
    response = viewer_client.post("/csp-report/", data, content_type="application/csp-report")
    assert response.status_code == 400
