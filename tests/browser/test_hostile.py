"""Store content is text and nothing else, whatever it holds, on every screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Visit
from tests.dashboard.pages.hostile import MARKUP

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_markup_in_every_field_runs_nowhere(page: Page, visit: Visit, hostile_state: Path) -> None:
    """The page fixture fails the test on any violation of the script policy, too."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    visit("/sessions/?machine=yes&cols=key&cols=id&cols=model&cols=notes")
    found = re.findall(r'href="(/stores/[0-9a-f]+/sessions/[0-9a-f]+/)"', page.content())
    tabs = ("fields", "json", "file", "locks", "problems")
    for path in ["/", "/stores/", *(f"{one}?tab={tab}" for one in set(found) for tab in tabs)]:
        visit(path)
        assert page.evaluate("window.broken") is None
        assert page.locator("main img").count() == 0
        assert page.locator("main script").count() == 0
    own = page.url.split("/stores")[0]
    assert all(url.startswith(own) for url in asked)


def test_markup_is_shown_as_it_is_written(page: Page, visit: Visit, hostile_state: Path) -> None:
    visit("/sessions/?key=agent:main:telegram:*")
    assert MARKUP in page.locator("[data-open]").first.inner_text()


def test_direction_characters_do_not_disguise_a_name(
    page: Page, visit: Visit, hostile_state: Path
) -> None:
    visit("/sessions/?key=*direction")
    title = page.locator("[data-open]").first.inner_text()
    assert "\u202e" not in title
