"""Bulk actions in a real browser: by keyboard alone, beside a live list, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from dashboard.models import Plan
from dashboard.services import sessions
from sessionstore.store import Store, open_store
from tests.browser.axe import violations
from tests.conftest import SignIn
from tests.dashboard.bulk.conftest import AT, fill, key

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture
def store(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The cast, watched by the console."""
    # A second has passed for the browser's clock, which the tests push, and not for the server.
    monkeypatch.setattr(sessions, "LIVE_AGE_S", 0.0)
    settings.STATE_DIR = tmp_path / "state"
    return fill(settings.STATE_DIR)


@pytest.fixture
def visit(page: Page, live_server: Any, alice: User, sign_in: SignIn) -> Visit:
    """Return a function that opens an address as an admin."""
    sign_in(page, alice)

    def visit(path: str) -> Page:
        page.goto(f"{live_server.url}{path}")
        return page

    return visit


def tick(page: Page, *names: str) -> None:
    for name in names:
        page.locator("[data-row]", has_text=f"direct:{name}").locator("[data-select]").check()


def look_now(page: Page) -> None:
    """Let the time pass after which the live part looks again."""
    with page.expect_response(lambda answer: "x-live" in answer.request.headers):
        page.clock.fast_forward(16_000)


def plan_of(page: Page) -> Plan:
    found = re.search(r"/plans/([0-9a-f]{32})/", page.url)
    assert found
    return Plan.objects.get(pk=found[1])


# --- The bar ------------------------------------------------------------------------------------


def test_ticking_moves_nothing_and_says_how_many(page: Page, visit: Visit, store: Store) -> None:
    visit("/sessions/")
    top = page.locator(".table").bounding_box()
    expect(page.get_by_role("button", name="Choose what to do")).to_be_hidden()
    tick(page, "kim", "sam")
    expect(page.locator(".bulk-count")).to_have_text("2 selected")
    expect(page.get_by_role("button", name="Choose what to do")).to_be_visible()
    assert page.locator(".table").bounding_box() == top
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.locator(".bulk-count")).to_have_text("0 selected")
    expect(page.locator("[data-select]:checked")).to_have_count(0)


def test_one_box_ticks_the_page_and_shift_a_range(page: Page, visit: Visit, store: Store) -> None:
    visit("/sessions/")
    whole = page.get_by_label("Select all on this page")
    whole.check()
    expect(page.locator(".bulk-count")).to_have_text("6 selected")
    page.locator("[data-select]").nth(0).uncheck()
    assert whole.evaluate("box => box.indeterminate") is True
    page.get_by_role("button", name="Clear the selection").click()
    page.locator("[data-select]").nth(1).click()
    page.locator("[data-select]").nth(4).click(modifiers=["Shift"])
    expect(page.locator(".bulk-count")).to_have_text("4 selected")


def test_a_live_list_loses_no_tick_and_adds_none(page: Page, visit: Visit, store: Store) -> None:
    page.clock.install()
    visit("/sessions/")
    tick(page, "kim", "sam", "tom")
    store.patch(key("kim"), {"label": "Kim"})
    store.delete(key("tom"))
    store.put(key("new"), {"sessionId": "new", "updatedAt": AT + 5})
    look_now(page)
    expect(page.locator(".bulk-count")).to_have_text("2 selected")
    expect(page.get_by_text("1 new row, show")).to_be_visible()
    page.get_by_role("button", name="Archive…", exact=True).click()
    expect(page.get_by_role("heading", name="Archive 2 sessions")).to_be_visible()
    assert {item["key"] for item in plan_of(page).items} == {key("kim"), key("sam")}


def test_a_live_list_leaves_the_bar_and_its_focus_alone(
    page: Page, visit: Visit, store: Store
) -> None:
    page.clock.install()
    visit("/sessions/")
    tick(page, "kim")
    page.keyboard.press("a")
    store.patch(key("sam"), {"label": "Sam"})
    look_now(page)
    expect(page.locator("[data-open]", has_text="Sam")).to_be_visible()
    expect(page.get_by_role("button", name="Choose what to do")).to_be_focused()


def test_rows_that_a_filter_hides_are_no_longer_selected(
    page: Page, visit: Visit, store: Store
) -> None:
    visit("/sessions/")
    tick(page, "kim", "sam")
    page.locator("#filter-q").fill("kim")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator(".bulk-count")).to_have_text("1 selected")
    page.get_by_role("button", name="Archive…", exact=True).click()
    expect(page.get_by_role("heading", name="Archive 1 session")).to_be_visible()


def test_everything_that_matches_is_offered_once_a_whole_page_is_ticked(
    page: Page, visit: Visit, store: Store
) -> None:
    for number in range(60):
        store.put(key(f"more{number}"), {"sessionId": str(number), "updatedAt": AT - 100})
    visit("/sessions/")
    tick(page, "kim")
    expect(page.locator(".bulk-matching")).to_be_hidden()
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Select all 66 that match").click()
    expect(page.get_by_role("heading", name="66 sessions selected")).to_be_visible()


def test_the_count_fits_the_ticks_after_going_back(page: Page, visit: Visit, store: Store) -> None:
    visit("/sessions/")
    tick(page, "kim", "sam")
    page.get_by_role("button", name="Archive…", exact=True).click()
    expect(page.get_by_role("heading", name="Archive 2 sessions")).to_be_visible()
    page.go_back()
    ticked = page.locator("[data-select]:checked").count()
    expect(page.locator(".bulk-count")).to_have_text(f"{ticked} selected")


@pytest.mark.parametrize("width", [320, 390, 640, 960, 1024, 1100, 1280, 1440, 1920])
def test_the_bar_is_one_line_at_every_width(
    width: int, page: Page, visit: Visit, store: Store
) -> None:
    for number in range(60):
        store.put(key(f"more{number}"), {"sessionId": str(number), "updatedAt": AT - 100})
    page.set_viewport_size({"width": width, "height": 800})
    visit("/sessions/")
    page.get_by_label("Select all on this page").check()
    bar = page.locator(".bulk-bar")
    assert bar.evaluate("bar => bar.scrollWidth - bar.clientWidth") <= 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = bar.evaluate("bar => [...bar.children].map((e) => e.getBoundingClientRect().height)")
    assert max(heights) <= 44
    table, line = page.locator(".table-frame").bounding_box(), bar.bounding_box()
    assert table is not None
    assert line is not None
    assert line["y"] + line["height"] <= table["y"] + 1


def test_the_bar_stays_in_sight_above_the_headings(page: Page, visit: Visit, store: Store) -> None:
    for number in range(60):
        store.put(key(f"more{number}"), {"sessionId": str(number), "updatedAt": AT - 100})
    page.set_viewport_size({"width": 1440, "height": 800})
    visit("/sessions/")
    tick(page, "kim")
    page.mouse.wheel(0, 1500)
    expect(page.get_by_role("button", name="Choose what to do")).to_be_in_viewport()
    bar, heading = page.locator(".bulk-bar").bounding_box(), page.locator("thead").bounding_box()
    assert bar is not None
    assert heading is not None
    head = page.locator("#sort-updated").bounding_box()
    assert head is not None
    assert head["y"] >= bar["y"] + bar["height"]


# --- Choosing and planning ----------------------------------------------------------------------


def test_the_value_follows_the_field_that_is_chosen(page: Page, visit: Visit, store: Store) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    visit("/sessions/")
    tick(page, "kim")
    page.get_by_role("button", name="Set a field").click()
    page.get_by_label("Field", exact=True).select_option("thinkingLevel")
    expect(page.locator("select[name=value]")).to_be_visible()
    page.get_by_label("New value").select_option("high")
    page.get_by_label("Field", exact=True).select_option("queueCap")
    expect(page.locator("input[name=value]")).to_be_visible()
    page.get_by_label("New value").fill("20")
    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_role("heading", name="Set queueCap of 1 session")).to_be_visible()
    expect(page.locator(".plan-effect")).to_contain_text("queueCap")


@pytest.mark.slow
@pytest.mark.console_errors
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_page_of_bulk_actions_has_a_violation(
    theme: str, screen: str, page: Page, visit: Visit, store: Store
) -> None:
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        if bad := violations(page):
            found[name] = bad
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    visit("/sessions/")
    tick(page, "kim", "sam", "lin")
    look("three ticked")
    page.locator("[data-act]").click()
    chosen = page.url
    for do in ("", "archive", "clear_overrides", "set_field", "clear_field", "export", "delete"):
        page.goto(f"{chosen}?do={do}")
        look(f"selection {do}")
    page.goto(f"{chosen}?do=set_field")
    page.get_by_role("button", name="See what would change").click()
    look("field missing")
    for name in ("Archive", "Delete"):
        page.goto(chosen)
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("button", name="See what would change").click()
        look(f"plan {name}")
        page.goto(f"{page.url}?show=skipped")
        look(f"plan {name}, skipped")
    store.patch(key("kim"), {"totalTokens": 1})
    page.get_by_label("Reason").fill("tidy up")
    page.get_by_label("the number of sessions").fill("3")
    page.locator(".plan-go").click()
    expect(page.get_by_role("heading", name="The plan does not hold any more")).to_be_visible()
    look("moved")
    visit("/plans/")
    look("plans")
    assert found == {}


def test_hostile_sessions_neither_run_nor_stick_out_of_a_plan(
    page: Page, visit: Visit, hostile_state: Path
) -> None:
    store = open_store(hostile_state / "agents" / "main" / "sessions")
    store.put("agent:main:explicit:" + "k" * 4_000, {"sessionId": "long", "label": "w" * 500})
    page.set_viewport_size({"width": 320, "height": 700})
    visit("/sessions/?machine=yes")
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Choose").click()
    addresses = [page.url]
    page.get_by_role("link", name="Clear a field").click()
    page.get_by_label("Field", exact=True).select_option("label")
    page.get_by_role("button", name="See what would change").click()
    addresses += [f"{page.url}?show=changes", f"{page.url}?show=skipped"]
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.evaluate("window.broken") is None


# --- Without scripts ----------------------------------------------------------------------------


def test_everything_works_without_scripts(
    browser: Browser, store: Store, live_server: Any, bob: User, sign_in: SignIn
) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    page = context.new_page()
    sign_in(page, bob)
    page.goto("/sessions/")
    page.get_by_role("link", name="Select all on this page").click()
    page.get_by_role("button", name="Choose what to do").click()
    page.get_by_role("link", name="Set a field").click()
    page.get_by_label("Field", exact=True).select_option("thinkingLevel")
    page.get_by_role("button", name="See what would change").click()
    page.get_by_label("New value").select_option("high")
    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_text("5 of 6 sessions will be changed.")).to_be_visible()
    page.get_by_role("link", name="Stay as they are").click()
    expect(page.get_by_text("It has this value already.").first).to_be_visible()
    page.get_by_label("Reason").fill("more thought")
    page.get_by_role("button", name="Set thinkingLevel of 5 sessions").click()
    expect(page.get_by_role("heading", name="Set thinkingLevel of 5 sessions")).to_be_visible()
    assert "/jobs/" in page.url
    context.close()
