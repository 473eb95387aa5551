"""Marking an incident, writing to it and taking its bundle in a real browser; axe on its pages."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.test_accessibility import SIZES
from tests.conftest import MakeUser, SignIn
from tests.dashboard.pages.hostile import MARKUP

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def operator_page(page: Page, watching_demo: Path, make_user: MakeUser, sign_in: SignIn) -> Page:
    """A page of an operator, over the demo."""
    sign_in(page, make_user("olga", "operator"))
    return page


def mark(page: Page, url: str, title: str, note: str = "") -> None:
    page.goto(f"{url}/incidents/new/?from=20min")
    page.locator("#mark-title").fill(title)
    page.locator("#mark-note").fill(note)
    page.locator("#mark-go").click()
    expect(page.locator("#messages")).to_contain_text("The incident is marked")


def test_an_incident_from_its_mark_to_its_bundle(operator_page: Page, live_server: Any) -> None:
    page = operator_page
    page.goto(f"{live_server.url}/locks/")
    page.get_by_role("link", name="Mark an incident").click()
    expect(page.locator("#mark-start")).not_to_be_empty()
    mark(page, live_server.url, "Telegram stood still", "two people complained")
    page.locator("#note-text").fill("the hot group was held")
    page.locator("#note-go").click()
    expect(page.locator(".incident-notes")).to_contain_text("the hot group was held")
    with page.expect_download() as waiting:
        page.locator("#bundle-go").click()
    download = waiting.value
    assert download.suggested_filename.startswith("incident-")
    with zipfile.ZipFile(download.path()) as archive:
        assert "README.txt" in archive.namelist()
    page.locator("#end-go").click()
    expect(page.locator(".incident-span")).to_contain_text("ended")


def test_marking_works_without_scripts(
    plain_page: Page, watching_demo: Path, make_user: MakeUser, sign_in: SignIn
) -> None:
    sign_in(plain_page, make_user("olga", "operator"))
    mark(plain_page, "", "without scripts")
    plain_page.goto("/incidents/?q=without")
    expect(plain_page.locator("#incident-view")).to_contain_text("without scripts")


def test_the_list_filters_while_typing_and_keeps_its_address(
    operator_page: Page, live_server: Any
) -> None:
    page = operator_page
    mark(page, live_server.url, "Slow disk")
    mark(page, live_server.url, "Hot session")
    page.goto(f"{live_server.url}/incidents/")
    page.locator("#filter-q").fill("disk")
    expect(page.locator("#incident-view tbody tr")).to_have_count(1)
    expect(page).to_have_url(f"{live_server.url}/incidents/?q=disk")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_page_of_incidents_has_a_violation(
    theme: str, screen: str, operator_page: Page, live_server: Any
) -> None:
    page, (width, height) = operator_page, SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.goto(f"{live_server.url}/incidents/")
    found = {"empty": violations(page)}
    mark(page, live_server.url, MARKUP[:150], MARKUP * 3 + " " + "x" * 500)
    found["one"] = violations(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for path in ("/incidents/", "/incidents/?state=open&bogus=1&page=7", "/incidents/new/"):
        page.goto(f"{live_server.url}{path}")
        found[path] = violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert found == {path: [] for path in found}
