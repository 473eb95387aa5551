"""Charts in a real browser: drawn under the strict policy, the same numbers as their tables."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page

from sessionstore.store import open_store
from tests.browser.axe import violations
from tests.browser.conftest import Visit
from tests.conftest import SignIn
from tests.dashboard.latency.reported import plant_hours

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

KEY = "agent:main:telegram:direct:ada"
MINUTE_MS = 60_000


@pytest.fixture
def reported(tmp_path: Path, settings: Any) -> int:
    """Two hours of reports with ten minutes of silence in the last; when they were planted."""
    now_ms = time.time_ns() // 1_000_000 // MINUTE_MS * MINUTE_MS
    directory = tmp_path / "state" / "agents" / "main" / "sessions"
    open_store(directory, report=False).put(KEY, {"sessionId": "ada", "updatedAt": now_ms})
    plant_hours(
        directory,
        now_ms=now_ms,
        hours=2,
        processes=2,
        keys=(KEY,),
        silent_ms=(now_ms - 40 * MINUTE_MS, now_ms - 30 * MINUTE_MS),
    )
    settings.STATE_DIR = tmp_path / "state"
    return now_ms


@pytest.fixture
def policy_reports(page: Page) -> list[str]:
    """What the page's content policy refused, as it reported it."""
    found: list[str] = []
    page.on("request", lambda r: found.append(r.url) if "csp-report" in r.url else None)
    page.on("console", lambda m: found.append(m.text) if "Content Security" in m.text else None)
    return found


def wait_for_charts(page: Page, count: int = 6) -> None:
    page.wait_for_function(
        "count => document.querySelectorAll('canvas[data-drawn]').length === count", arg=count
    )


def drawn_values(page: Page, name: str, place: int) -> list[float | None]:
    """The values of one line or bar as the library that draws has them."""
    values: list[float | None] = page.evaluate(
        "([name, place]) => Chart.getChart(`canvas-${name}`).data.datasets[place].data",
        [name, place],
    )
    return values


def table_values(page: Page, name: str, column: int) -> list[float | None]:
    """The values of one column of the table under a chart; None for a gap and for a dash."""
    values: list[float | None] = page.evaluate(
        """([name, column]) => [...document.querySelectorAll(
            `section[aria-labelledby="chart-${name}"] tbody tr`)].map((row) => {
                const cell = row.querySelectorAll('td.number')[column];
                const told = cell && cell.querySelector('data');
                return told ? Number(told.value) : null;
            })""",
        [name, column],
    )
    return values


def test_every_chart_is_drawn_and_the_policy_refuses_nothing(
    reported: int, page: Page, visit: Visit, policy_reports: list[str]
) -> None:
    visit("/latency/")
    wait_for_charts(page)
    for name in ("wait", "phases"):
        box = page.locator(f"#canvas-{name}").bounding_box()
        assert box
        assert box["height"] > 150
        assert _has_ink(page, name)
    assert policy_reports == []


def _has_ink(page: Page, name: str) -> bool:
    painted: bool = page.evaluate(
        """(name) => {
            const canvas = document.getElementById(`canvas-${name}`);
            const pen = canvas.getContext('2d');
            const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((value, at) => at % 4 === 3 && value > 0).length > 2000;
        }""",
        name,
    )
    return painted


def test_picture_table_and_json_have_the_same_numbers(
    reported: int, page: Page, visit: Visit
) -> None:
    visit("/latency/")
    wait_for_charts(page)
    url = page.locator("#latency-json").get_attribute("href")
    answer = page.evaluate("url => fetch(url).then((found) => found.json())", url)
    charts = {chart["name"]: chart for chart in answer["charts"]}
    for name, columns in (("wait", [1, 2, 3, 4]), ("phases", range(8)), ("updates", [0, 1, 2])):
        for place, column in enumerate(columns):
            wanted = [row and row[column] for row in charts[name]["rows"]]
            assert drawn_values(page, name, place) == wanted
            assert table_values(page, name, column) == wanted


def test_a_gap_is_not_drawn(reported: int, page: Page, visit: Visit) -> None:
    visit("/latency/?series=wait")
    wait_for_charts(page, 1)
    values = drawn_values(page, "wait", 0)
    known = [place for place, value in enumerate(values) if value is not None]
    inside = values[known[0] : known[-1]]
    assert 8 <= sum(value is None for value in inside) <= 10
    assert page.evaluate("Chart.getChart('canvas-wait').data.datasets[0].spanGaps") is False
    assert page.locator("td.gap").first.text_content() == "no report"


def test_dragging_over_a_chart_leads_to_the_address_of_that_window(
    reported: int, page: Page, visit: Visit
) -> None:
    visit("/latency/?series=wait&operation=patch")
    wait_for_charts(page, 1)
    page.locator("#canvas-wait").scroll_into_view_if_needed()
    box = page.locator("#canvas-wait").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=.*&to="))
    assert "operation=patch" in page.url
    wait_for_charts(page, 1)
    assert page.locator(".notice").count() == 0
    page.go_back()
    assert "from=" not in page.url


def test_zooming_works_by_links_without_scripts(reported: int, plain_page: Page) -> None:
    plain_page.goto("/latency/")
    assert not plain_page.locator("canvas").first.is_visible()
    plain_page.locator("#zoom-closer").click()
    assert "from=" in plain_page.url
    plain_page.locator("#zoom-later").click()
    plain_page.locator("#window-6").click()
    assert plain_page.url.endswith("?window=6")
    plain_page.locator("details.chart-table summary").first.click()
    row = plain_page.locator("details.chart-table tbody th a").nth(60)
    row.click()
    assert "from=" in plain_page.url


def test_filters_narrow_the_charts_and_stay_in_the_address(
    reported: int, page: Page, visit: Visit
) -> None:
    visit("/latency/?window=6")
    page.select_option("#filter-scope", "store")
    page.locator("#latency-filters button[type=submit]").click()
    page.wait_for_url(re.compile("scope=store"))
    assert "window=6" in page.url
    assert page.locator(".latency-figures .figure-value").first.text_content() == "0"


@pytest.mark.console_errors
def test_a_chart_that_cannot_be_had_says_so(reported: int, page: Page, visit: Visit) -> None:
    page.route("**/latency.json*", lambda route: route.fulfill(status=503, body="no"))
    visit("/latency/?series=wait")
    message = page.locator(".chart-message")
    message.filter(has_text="could not be drawn").wait_for()
    assert not page.locator("#canvas-wait").is_visible()


def test_a_change_of_theme_draws_anew(reported: int, page: Page, visit: Visit) -> None:
    page.emulate_media(color_scheme="light")
    visit("/latency/?series=wait")
    wait_for_charts(page, 1)
    colour = "Chart.getChart('canvas-wait').data.datasets[0].borderColor"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {colour} !== light", arg=light)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_screen_has_a_violation(
    theme: str, width: int, reported: int, page: Page, visit: Visit
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    visit("/latency/")
    wait_for_charts(page)
    link = page.locator(".top-row a").first.get_attribute("href") or ""
    found = {"/latency/": violations(page)}
    for path in ("/latency/?from=soon&to=1h", "/latency/?from=9h&to=8h", "/", "/stores/", link):
        visit(path)
        found[path] = violations(page)
    assert {path: bad for path, bad in found.items() if bad} == {}


def test_nothing_sticks_out_of_a_phone(reported: int, page: Page, visit: Visit) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    for path in ("/latency/", "/", "/stores/"):
        visit(path)
        if path == "/latency/":
            wait_for_charts(page)
        page.wait_for_function("document.documentElement.scrollWidth <= 320", timeout=5_000)


def test_a_hostile_store_shows_no_chart_of_its_own(
    browser: Browser, live_server: Any, carol: User, sign_in: SignIn, hostile_state: Path
) -> None:
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    sign_in(page, carol)
    page.goto("/latency/")
    assert page.locator("h1").text_content() == "Latency"
    assert page.evaluate("window.broken") is None
    context.close()
