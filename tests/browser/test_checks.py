"""Checks in a real browser: a limit, a note and a test alert, without scripts too, and axe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from dashboard.services.alert_delivering import deliver_due
from tests.browser.axe import violations
from tests.browser.test_accessibility import SIZES
from tests.conftest import SignIn
from tests.dashboard.checks import conftest as shared
from tests.dashboard.checks.conftest import Hook, evaluate, report

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

state, hook = shared.state, shared.hook

SCREENS = ("/", "/checks/", "/checks/rules/waits/", "/checks/backup/acknowledge/")


def walk_through(page: Page, url: str) -> None:
    """Change a limit, come back to its rule, note something, send a test."""
    page.goto(f"{url}/")
    page.locator("#rule-of-lock-wait").click()
    page.locator("#change-lock-wait").click()
    page.locator("#limit-watch").fill("20")
    page.locator("#limit-bad").fill("150")
    page.locator("#limits-go").click()
    expect(page.locator("#rule-lock-wait")).to_contain_text("≥ 150 ms")
    expect(page.locator("#rule-lock-wait")).to_contain_text("by alice")
    page.goto(f"{url}/")
    page.locator("[id^=acknowledge-backup-]").click()
    page.locator("#ack-note").fill("The new disk comes on Monday")
    page.locator("#acknowledge-go").click()
    expect(page.locator(".check-note")).to_contain_text("alice knows: The new disk")
    page.goto(f"{url}/checks/")
    page.locator("#test-alert-go").click()
    expect(page.locator("#alerts")).to_contain_text("not sent yet")
    deliver_due()
    page.reload()
    expect(page.locator("#alerts")).to_contain_text("arrived")


def test_an_admin_sets_a_limit_notes_and_tests(
    page: Page, live_server: Any, alice: User, sign_in: SignIn, state: Path, hook: Hook
) -> None:
    report(state, wait_ms=200)
    sign_in(page, alice)
    walk_through(page, live_server.url)
    assert [one["kind"] for one in hook.alerts] == ["test"]


def test_it_works_without_scripts(
    browser: Browser, live_server: Any, alice: User, sign_in: SignIn, state: Path, hook: Hook
) -> None:
    report(state, wait_ms=200)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, alice)
    walk_through(page, live_server.url)
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_screen_has_a_violation(
    theme: Any,
    screen: str,
    page: Page,
    live_server: Any,
    alice: User,
    sign_in: SignIn,
    state: Path,
    hook: Hook,
) -> None:
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    report(state, "main", wait_ms=2_000)
    report(state, "work", outcome="timeout", count=1)
    hook.answers = [503]
    evaluate(2)
    deliver_due()
    sign_in(page, alice)
    found = {}
    for path in SCREENS:
        page.goto(f"{live_server.url}{path}")
        if bad := violations(page):
            found[path] = bad
        if width < 400:
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert found == {}


def test_what_is_fine_opens_by_keyboard_and_stays_open_and_focused_when_the_page_reads_itself(
    page: Page, live_server: Any, alice: User, sign_in: SignIn, state: Path
) -> None:
    sign_in(page, alice)
    page.goto(f"{live_server.url}/")
    fine = page.locator("#checks-fine .check-row")
    expect(fine.first).to_be_hidden()
    page.locator("#checks-fine-line").focus()
    page.keyboard.press("Enter")
    expect(fine.first).to_be_visible()
    page.evaluate("document.querySelector('#overview-live').dataset.old = 'yes'")
    page.evaluate("htmx.ajax('GET', '/', {target: '#overview-live', swap: 'outerHTML'})")
    expect(page.locator("#overview-live[data-old]")).to_have_count(0)
    expect(fine.first).to_be_visible()
    expect(page.locator("#checks-fine-line")).to_be_focused()


def test_labels_of_limits_do_not_run_into_their_figures_on_a_phone(
    page: Page, live_server: Any, alice: User, sign_in: SignIn, state: Path
) -> None:
    sign_in(page, alice)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/checks/")
    cramped = page.evaluate(
        """() => [...document.querySelectorAll(".check-limits td[data-label]")].filter((cell) => {
            const pen = document.createElement("canvas").getContext("2d");
            const label = getComputedStyle(cell, "::before");
            pen.font = `${label.fontWeight} ${label.fontSize} ${label.fontFamily}`;
            const width = pen.measureText(cell.dataset.label).width + parseFloat(label.left);
            return width > parseFloat(getComputedStyle(cell).paddingLeft);
        }).map((cell) => cell.dataset.label)"""
    )
    assert cramped == []
    expect(page.locator(".check-limits td[data-label]").first).to_be_visible()
