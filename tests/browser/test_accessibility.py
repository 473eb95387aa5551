"""axe finds nothing on any screen, in both themes, on a desktop and on a phone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.axe import violations
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


def addresses(page: Page) -> list[str]:
    """Every kind of screen: lists, empty lists, notes, errors, and all tabs of two sessions."""
    text = page.content()
    session = re.search(r"/stores/[0-9a-f]+/sessions/[0-9a-f]+/", text)
    assert session
    names = ("fields", "json", "file", "locks", "transcript", "problems")
    tabs = [f"{session[0]}?tab={tab}" for tab in names]
    return [
        *("/", "/stores/", "/locks/", "/sessions/", "/sessions/?machine=yes&damaged=yes", "/help/"),
        *("/sessions/?q=nothing+like+this", "/sessions/?after=soon&bogus=1&page=99"),
        *("/stores/aaaaaaaaaaaa/sessions/", *tabs),
    ]


@pytest.mark.slow
@pytest.mark.console_errors
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_screen_has_a_violation(
    theme: str, screen: str, page: Page, visit: Visit, watching_demo: Path
) -> None:
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    visit("/sessions/?damaged=yes&machine=yes")
    found = {}
    for path in addresses(page):
        visit(path)
        if bad := violations(page):
            found[path] = bad
    assert found == {}


@pytest.mark.parametrize("path", ["/", "/sessions/?machine=yes", "/stores/"])
def test_nothing_sticks_out_of_a_phone(
    path: str, page: Page, visit: Visit, hostile_state: Path
) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    visit(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_everything_to_press_is_large_enough(page: Page, visit: Visit, watching_demo: Path) -> None:
    for path in ("/", "/sessions/", "/stores/", "/locks/"):
        visit(path)
        small = page.evaluate(
            """() => [...document.querySelectorAll('main :is(button, .button, summary, label)')]
                .filter((e) => e.checkVisibility() && !e.closest('.visually-hidden'))
                .filter((e) => e.getBoundingClientRect().height < 24)
                .map((e) => e.outerHTML.slice(0, 120))"""
        )
        assert small == []
