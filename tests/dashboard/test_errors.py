"""Each refusal says what happened, why and what to do next, in the form the caller reads."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from dashboard import roles
from dashboard import urls as console_urls

pytestmark = pytest.mark.django_db


@roles.open_to_anyone
def failing(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret-in-the-exception\nforged line")


class UrlsWithFailingView:
    urlpatterns = [*console_urls.urlpatterns, path("failing", failing), path("x.json", failing)]
    handler500 = console_urls.handler500


def test_not_found_has_cause_and_next_step(client: Client) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.text
    assert "Go back to the overview" in response.text
    assert response["X-Request-ID"] in response.text


def test_not_found_answers_json_with_json(client: Client) -> None:
    response = client.get("/nowhere.json")
    assert response.status_code == 404
    assert set(response.json()) == {"error", "cause", "next"}


def test_parts_and_csv_get_a_sentence(client: Client) -> None:
    part = client.get("/nowhere", headers={"HX-Request": "true"})
    for response in (part, client.get("/nowhere.csv")):
        assert response["Content-Type"].startswith("text/plain")
        assert "<" not in response.text


def test_failures_show_an_id_and_not_the_exception(
    client: Client, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ROOT_URLCONF = UrlsWithFailingView
    client.raise_request_exception = False
    response = client.get("/failing")
    assert response.status_code == 500
    assert "secret-in-the-exception" not in response.text
    assert response["X-Request-ID"] in response.text
    assert client.get("/x.json").json()["error"]


def test_failures_are_answered_even_when_the_page_cannot_be_drawn(
    client: Client, settings: Any
) -> None:
    settings.ROOT_URLCONF = UrlsWithFailingView
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [], "APP_DIRS": True}]
    client.raise_request_exception = False
    response = client.get("/failing")
    assert response.status_code == 500
    assert response["Content-Type"].startswith("text/plain")
    assert response["X-Request-ID"] in response.text


def test_hostile_text_in_an_address_is_shown_as_text(client: Client) -> None:
    response = client.get("/%3Cscript%3Ealert(1)%3C/script%3E")
    assert response.status_code == 404
    assert "<script>alert" not in response.text


def test_environment_banner_is_shown_on_every_page(client: Client, settings: Any) -> None:
    settings.ENVIRONMENT_NAME, settings.ENVIRONMENT_COLOUR = "<b>prod</b>", "red"
    for address in ("/login/", "/nowhere"):
        page = client.get(address).text
        assert "&lt;b&gt;prod&lt;/b&gt;" in page
        assert 'data-colour="red"' in page
