"""Lists in a real browser: swapped parts, live rows, keys, and all of it without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.services import sessions
from sessionstore.store import open_store
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADA = "agent:main:telegram:direct:ada"


@pytest.fixture
def store(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    # A second has passed for the browser's clock, which the tests push, and not for the server.
    monkeypatch.setattr(sessions, "LIVE_AGE_S", 0.0)
    path = tmp_path / "state"
    store = open_store(path / "agents" / "main" / "sessions")
    for at, name in enumerate(["ada", "lin", "wen"]):
        key = f"agent:main:telegram:direct:{name}"
        store.put(key, {"sessionId": name, "updatedAt": 1_790_000_000_000 - at, "label": name})
    settings.STATE_DIR = path
    return store


def titles(page: Page) -> list[str]:
    return page.locator("[data-row] [data-open]").all_inner_texts()


def look_now(page: Page) -> None:
    """Let the time pass after which the live part looks again."""
    with page.expect_response(lambda answer: "x-live" in answer.request.headers):
        page.clock.fast_forward(16_000)


def test_facets_and_headings_swap_the_list_and_keep_the_address(
    page: Page, visit: Visit, watching_demo: Path
) -> None:
    visit("/sessions/")
    page.evaluate("window.stayed = true")
    page.locator(".facet-choice", has_text="telegram").click()
    expect(page.locator(".chip", has_text="Channel")).to_be_visible()
    page.get_by_role("link", name="Size", exact=True).click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Size")
    assert "channel=telegram" in page.url
    assert "sort=-size" in page.url
    assert page.evaluate("window.stayed") is True
    shown = titles(page)
    page.reload()
    assert titles(page) == shown
    page.go_back()
    expect(page.locator("th[aria-sort]")).to_contain_text("Updated")


def test_typing_narrows_the_list_and_keeps_the_focus(page: Page, visit: Visit, store: Any) -> None:
    visit("/sessions/")
    page.keyboard.press("/")
    page.keyboard.type("lin")
    expect(page.locator("[data-row]")).to_have_count(1)
    assert titles(page) == ["lin"]
    expect(page.locator("#filter-q")).to_be_focused()
    assert page.url.endswith("/sessions/?q=lin")


def test_a_filter_keeps_the_facets_that_were_chosen(
    page: Page, visit: Visit, watching_demo: Path
) -> None:
    visit("/sessions/")
    page.locator(".facet-choice", has_text="telegram").click()
    expect(page.locator(".chip", has_text="Channel")).to_be_visible()
    page.locator("#filter-q").fill("a")
    page.wait_for_url("**q=a**")
    assert "channel=telegram" in page.url


def test_a_live_list_touches_neither_selection_nor_focus(
    page: Page, visit: Visit, store: Any
) -> None:
    page.clock.install()
    visit("/sessions/")
    page.locator("[data-select]").nth(1).check()
    page.locator("[data-open]").nth(1).focus()
    store.patch(ADA, {"label": "Ada Lovelace"})
    store.put("agent:main:telegram:direct:new", {"sessionId": "n", "label": "new"})
    look_now(page)
    expect(page.get_by_text("1 new row, show")).to_be_visible()
    assert titles(page) == ["Ada Lovelace", "lin", "wen"]
    expect(page.locator("[data-select]").nth(1)).to_be_checked()
    expect(page.locator("[data-open]").nth(1)).to_be_focused()
    page.get_by_text("1 new row, show").click()
    expect(page.locator("[data-row]")).to_have_count(4)
    expect(page.locator("[data-select]:checked")).to_have_count(1)


def test_a_look_that_finds_nothing_new_replaces_only_the_bar(
    page: Page, visit: Visit, store: Any
) -> None:
    page.clock.install()
    visit("/sessions/")
    page.evaluate("document.querySelector('[data-row]').stayed = true")
    page.locator("#live-pause").focus()
    look_now(page)
    expect(page.locator("[data-live]")).to_have_attribute("hx-trigger", "every 30s")
    assert page.evaluate("document.querySelector('[data-row]').stayed") is True
    expect(page.locator("#live-pause")).to_be_focused()
    page.wait_for_timeout(300)  # htmx starts the new interval when the swap has settled
    store.patch(ADA, {"label": "Ada Lovelace"})
    with page.expect_response(lambda answer: "x-live" in answer.request.headers):
        page.clock.fast_forward(31_000)
    expect(page.locator("[data-open]").nth(0)).to_have_text("Ada Lovelace")
    expect(page.locator("[data-live]")).to_have_attribute("hx-trigger", "every 10s")


@pytest.mark.parametrize("width", [390, 1024, 1100, 1180, 1249, 1280, 1366, 1440, 1920])
def test_no_window_cuts_the_list(width: int, page: Page, visit: Visit, watching_demo: Path) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    visit("/sessions/?machine=yes")
    beyond = page.evaluate(
        "[document.documentElement, document.querySelector('.table')].map("
        "part => part.getBoundingClientRect().right - innerWidth)"
    )
    assert max(beyond) <= 0


def test_headings_stay_in_sight(page: Page, visit: Visit, watching_demo: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 800})
    visit("/sessions/")
    page.mouse.wheel(0, 1200)
    expect(page.locator("#sort-updated")).to_be_in_viewport()


def test_a_deleted_row_stays_greyed_out(page: Page, visit: Visit, store: Any) -> None:
    page.clock.install()
    visit("/sessions/")
    store.delete(ADA)
    look_now(page)
    expect(page.locator("[data-gone]")).to_have_count(1)
    expect(page.locator("[data-gone]")).to_contain_text("gone, noticed at")


def test_a_live_list_waits_while_text_in_it_is_selected(
    page: Page, visit: Visit, store: Any
) -> None:
    page.clock.install()
    visit("/sessions/")
    asked: list[str] = []
    page.on("request", lambda request: asked.extend({"x-live"} & request.headers.keys()))
    page.locator(".row-sub").first.select_text()
    page.clock.fast_forward(16_000)
    page.clock.fast_forward(16_000)
    assert asked == []
    page.evaluate("document.getSelection().removeAllRanges()")
    look_now(page)


def test_the_pause_switch_stops_looking(page: Page, visit: Visit, store: Any) -> None:
    visit("/sessions/")
    page.get_by_role("link", name="Hold the page").click()
    expect(page.get_by_text("Not live")).to_be_visible()
    expect(page.locator("[data-live]")).to_have_count(0)
    page.get_by_role("link", name="Make it live").click()
    expect(page.locator("[data-live]")).to_have_count(1)


def test_selected_rows_are_counted_aloud_and_downloaded(
    page: Page, visit: Visit, store: Any
) -> None:
    visit("/sessions/")
    page.locator("[data-select]").nth(0).check()
    page.locator("[data-select]").nth(2).check()
    expect(page.locator("[data-selected-count]")).to_have_text("2")
    with page.expect_download() as download:
        page.locator(".bulk-selected button", has_text="CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 3
    assert download.value.suggested_filename == "sessions.csv"


def test_keys_move_select_open_and_help(page: Page, visit: Visit, store: Any) -> None:
    visit("/sessions/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-select]").nth(1)).to_be_checked()
    page.keyboard.press("k")
    expect(page.locator("[data-row]").nth(0)).to_have_attribute("data-current", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ada")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard and help")).to_be_visible()


def test_keys_are_letters_while_typing_and_esc_closes_only_the_topmost(
    page: Page, visit: Visit, store: Any
) -> None:
    visit("/sessions/")
    page.locator("#filter-q").click()
    page.keyboard.type("jx?")
    expect(page.locator("#filter-q")).to_have_value("jx?")
    expect(page.locator("[data-row][data-current]")).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_text("More filters").click()
    page.keyboard.press("Escape")
    expect(page.locator("details.menu[open]")).to_have_count(0)
    expect(page.locator("summary", has_text="More filters")).to_be_focused()


def test_keys_can_be_turned_off(page: Page, visit: Visit, store: Any) -> None:
    visit("/help/")
    page.get_by_role("button", name="Turn keys off").click()
    expect(page.get_by_text("They are turned off.")).to_be_visible()
    visit("/sessions/")
    page.keyboard.press("j")
    expect(page.locator("[data-row][data-current]")).to_have_count(0)


def test_the_theme_is_kept_and_drawn_by_the_server(page: Page, visit: Visit, store: Any) -> None:
    visit("/sessions/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("summary", has_text="Account and display").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_only_the_address_stays_in_the_browser(
    page: Page, visit: Visit, watching_demo: Path
) -> None:
    visit("/sessions/")
    page.locator(".facet-choice", has_text="telegram").click()
    expect(page.locator(".chip", has_text="Channel")).to_be_visible()
    kept = page.evaluate("[{...localStorage}, {...sessionStorage}]")
    assert kept == [{}, {"htmx-current-path-for-history": "/sessions/?channel=telegram"}]


def test_everything_works_without_scripts(
    plain_page: Page, watching_demo: Path, live_server: Any
) -> None:
    page = plain_page
    page.goto(f"{live_server.url}/")
    page.locator(".sidebar").get_by_role("link", name="Sessions", exact=True).click()
    expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
    assert page.locator(".needs-script:visible").count() == 0
    page.locator("#filter-q").fill("a")
    page.locator(".facet-choice", has_text="telegram").click()
    page.locator("#filter-q").fill("a")
    page.get_by_role("button", name="Search").click()
    assert "q=a" in page.url
    assert "channel=telegram" in page.url
    page.get_by_role("link", name="Size", exact=True).click()
    page.locator("[data-open]").first.click()
    for tab in ("JSON", "File", "Problems", "Fields"):
        page.locator(".tabs").get_by_role("link", name=tab).click()
        expect(page.locator(".tabs [aria-current=page]")).to_contain_text(tab)
    page.locator("summary", has_text="Account and display").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
