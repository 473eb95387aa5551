"""A SQLite-era agent and the comparison of layouts in a real browser, in both themes and sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Visit
from tests.dashboard.layouts.conftest import ADA, entry
from tests.dashboard.pages.hostile import MARKUP
from tests.sessionstore.sqlitestore.databases import database_file, make, store_file

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture
def era(tmp_path: Path, settings: Any) -> Path:
    """An agent in the database only, and one in both forms."""
    state = tmp_path / "state"
    make(database_file(state), {ADA: entry("ada", label="Ada")})
    both = {f"agent:both:{n:03}": entry("x", label=f"n{n}") for n in range(70)}
    make(database_file(state, "both"), {**both, "agent:both:000": entry("x", **{MARKUP: MARKUP})})
    store_file(state, "both").parent.mkdir(parents=True)
    store_file(state, "both").write_text(json.dumps(both))
    settings.STATE_DIR = state
    return state


def to_layouts(page: Page, visit: Visit) -> None:
    visit("/stores/")
    page.get_by_role("link", name="Compare layouts of both").click()
    expect(page.get_by_role("heading", name="Compare layouts of both")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_screen_has_a_violation_or_sticks_out(
    theme: str, screen: str, page: Page, visit: Visit, era: Path
) -> None:
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    found = {}
    to_layouts(page, visit)
    address = page.url
    page.locator("[data-row] a").first.click()
    expect(
        page.get_by_role("heading", name="sessions.json and OpenClaw's database")
    ).to_be_visible()
    for path in (page.url, address, f"{address}?q=nothing", "/stores/"):
        page.goto(path) if path.startswith("http") else visit(path)
        found[path] = violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    visit("/sessions/?agent=main")
    page.get_by_role("link", name="Ada").click()
    expect(page.get_by_text("Read-only store")).to_be_visible()
    found[page.url] = violations(page)
    assert not any(found.values()), found


def test_outcomes_and_search_swap_only_the_view(page: Page, visit: Visit, era: Path) -> None:
    to_layouts(page, visit)
    page.get_by_role("link", name="The same in all").click()
    expect(page.locator("[data-row]")).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("[data-row]")).to_have_count(19)
    page.get_by_role("link", name="Differs").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.get_by_role("searchbox", name="Session", exact=True).fill("both:069")
    expect(page.get_by_text("No session matches")).to_be_visible()


def test_it_works_without_scripts(browser: Any, page: Page, visit: Visit, era: Path) -> None:
    to_layouts(page, visit)
    context = browser.new_context(
        java_script_enabled=False, storage_state=page.context.storage_state()
    )
    plain = context.new_page()
    plain.goto(page.url)
    plain.get_by_role("searchbox", name="Session", exact=True).fill("both:000")
    plain.get_by_role("button", name="Search").click()
    expect(plain.locator("[data-row]")).to_have_count(1)
    plain.get_by_role("link", name="000", exact=True).click()
    expect(plain.get_by_text("OpenClaw's database, ")).to_be_visible()
    context.close()
