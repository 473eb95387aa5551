"""What was typed into a form stays out of the throttle's table, the audit and the log."""

from __future__ import annotations

import logging

import pytest
from axes.models import AccessAttempt
from django.core import serializers
from django.test import Client

from dashboard.models import AuditEvent

pytestmark = pytest.mark.django_db

TYPED = ("Old-and-nearly-right-1", "New-and-private-22", "In-the-address-333")


def test_failed_password_change_leaves_no_password_anywhere(
    viewer_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    old, new, in_address = TYPED
    caplog.set_level(logging.DEBUG)
    form = {"old_password": old, "new_password1": new, "new_password2": new}
    for _ in range(2):
        response = viewer_client.post(f"/account/password/?hint={in_address}", form)
        assert response.status_code == 422
    assert AccessAttempt.objects.get().failures_since_start == 2
    rows = [*AccessAttempt.objects.all(), *AuditEvent.objects.all()]
    kept = serializers.serialize("json", rows) + caplog.text
    assert not [word for word in TYPED if word in kept]


def test_failed_sign_in_leaves_nothing_of_its_form_but_the_name(client: Client) -> None:
    old, _new, in_address = TYPED
    form = {"username": "carol", "password": old, "odd": old}
    client.post(f"/login/?next=/&hint={in_address}", form)
    kept = serializers.serialize("json", AccessAttempt.objects.all())
    assert "carol" in kept
    assert not [word for word in TYPED if word in kept]
