"""The navigation marks the one entry that the page belongs to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import get_resolver

from dashboard.templatetags import navigation

pytestmark = pytest.mark.django_db


def marked(html: str) -> list[str]:
    return re.findall(r'class="nav-link" href="([^"]+)" aria-current="page"', html)


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/", "/"),
        ("/sessions/", "/sessions/"),
        ("/plans/", "/sessions/"),
        ("/stores/", "/stores/"),
        ("/locks/", "/locks/"),
        ("/jobs/", "/jobs/"),
        ("/undo/", "/undo/"),
        ("/audit/", "/audit/"),
        ("/people/", "/people/"),
        ("/people/new/", "/people/"),
        ("/tokens/", "/people/"),
        ("/settings/", "/people/"),
    ],
)
def test_a_page_marks_its_entry_only(
    path: str, entry: str, small_state: Path, admin_client: Client
) -> None:
    assert set(marked(admin_client.get(path).text)) == {entry}


def test_a_session_belongs_to_its_store(small_state: Path, admin_client: Client) -> None:
    address = re.search(
        r"/stores/[0-9a-f]+/sessions/[0-9a-f]+/", admin_client.get("/sessions/").text
    )
    assert address
    for page in ("", "edit/", "act/rename/", "versions/", "copy/"):
        assert set(marked(admin_client.get(address[0] + page).text)) == {"/stores/"}


def test_help_and_the_account_mark_no_entry(small_state: Path, admin_client: Client) -> None:
    assert marked(admin_client.get("/help/").text) == []
    assert marked(admin_client.get("/account/").text) == []


def test_every_page_named_for_an_entry_exists() -> None:
    assert set(navigation.ENTRIES) <= {str(name) for name in get_resolver().reverse_dict}
