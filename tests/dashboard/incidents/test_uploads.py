"""Nobody sends a file: it would be written to the disk that gateways need, before any check."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

LARGE = 3 << 20
"""More than Django keeps in memory."""


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the test fail where an upload is given a file on the disk."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("an upload was written to the disk")

    place = "django.core.files.uploadhandler.TemporaryUploadedFile"
    monkeypatch.setattr(place, refuse)


def test_a_stranger_cannot_send_a_file() -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/login/")
    form = {
        "csrfmiddlewaretoken": client.cookies["sessionstore_csrf"].value,
        "file": SimpleUploadedFile("a", b"x" * LARGE),
    }
    assert client.post("/login/", form).status_code == 413
    form["file"] = SimpleUploadedFile("a", b"x")
    assert client.post("/login/", form).status_code == 400


@pytest.mark.parametrize("path", ["/sessions/selected/", "/preferences/", "/tokens/new/"])
def test_a_viewer_cannot_send_a_file(viewer_client: Client, path: str) -> None:
    large, small = ({"file": SimpleUploadedFile("a", b"x" * size)} for size in (LARGE, 1))
    assert viewer_client.post(path, large).status_code == 413
    assert viewer_client.post(path, small).status_code == 400


def test_the_page_that_takes_a_large_text_takes_no_file(admin_client: Client) -> None:
    path = f"/stores/{'a' * 12}/sessions/{'b' * 16}/edit/json/"
    answer = admin_client.post(path, {"file": SimpleUploadedFile("a", b"x" * LARGE)})
    assert answer.status_code == 400


def test_a_form_that_comes_in_parts_is_read(client: Client, alice: User) -> None:
    form = {"username": alice.get_username(), "password": PASSWORD}
    assert client.post("/login/", form).status_code == 302
