"""Locks in a real browser: followed live, explained, cleared, without scripts too, and axe."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.conftest import SignIn
from tests.dashboard.locks.conftest import (
    ADA,
    LIN,
    Start,
    dead_owner,
    hold,
    id_of,
    report,
    start,
    state,
    transcript_lock,
    wait_for,
    window,
)
from tests.dashboard.pages.hostile import DIRECTION, MARKUP, SECRET

__all__ = ["start", "state"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCREENS = (("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark"))


@pytest.fixture
def page(page: Page, bob: User, sign_in: SignIn) -> Page:
    """The browser of the operator bob."""
    sign_in(page, bob)
    return page


def test_a_waiter_appears_and_the_unfolded_evidence_stays(
    page: Page, live_server: Any, state: Path, start: Start
) -> None:
    hold(start)
    page.goto(f"{live_server.url}/locks/")
    page.locator(".lock-evidence > summary").click()
    expect(page.locator(".lock-evidence[open]")).to_contain_text("The kernel confirms the lock.")
    waiter = wait_for(start)
    expect(page.locator(".lock-waiter")).to_contain_text(f"process {waiter.pid}", timeout=15_000)
    expect(page.locator(".lock-evidence[open]")).to_have_count(1)
    expect(page.locator(".lock-evidence > summary")).to_be_focused()


def test_a_lock_that_is_let_go_leaves_the_list_and_its_page_says_so(
    page: Page, live_server: Any, state: Path, start: Start
) -> None:
    holder = hold(start)
    page.goto(f"{live_server.url}/locks/")
    page.locator("[data-open]").click()
    expect(page.locator("#lock-verdict")).to_have_text("Held, alive")
    holder.kill()
    holder.wait()
    expect(page.locator("#lock-verdict")).to_have_text("It is not held any more", timeout=15_000)
    expect(page.locator("[data-live]")).to_have_count(0)
    expect(page.locator("#support")).to_have_value(re.compile(rf"Process: {holder.pid}"))


def test_a_list_on_which_nothing_happens_is_looked_at_less_and_less(
    page: Page, live_server: Any, state: Path
) -> None:
    page.goto(f"{live_server.url}/locks/")
    expect(page.locator("#locks-bar [data-live]")).to_have_attribute(
        "hx-trigger", "every 8s", timeout=20_000
    )


def test_filters_are_in_the_address(
    page: Page, live_server: Any, state: Path, start: Start
) -> None:
    hold(start)
    transcript_lock(state, dead_owner())
    page.goto(f"{live_server.url}/locks/")
    expect(page.locator("[data-row]")).to_have_count(2)
    page.locator("#filter-verdict").select_option("owner-gone")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/locks/\?verdict=owner-gone$"))
    page.reload()
    expect(page.locator("[data-row]")).to_have_count(1)


def clear(page: Page, url: str, file: Path) -> None:
    page.goto(f"{url}/locks/")
    page.locator("[data-open]").click()
    expect(page.locator("#lock-verdict")).to_have_text("Owner gone")
    if page.locator("#clear-understood").count():
        page.locator("#clear-understood").check()
    page.locator("#clear-reason").fill("It was killed last night")
    page.locator("#clear-go").click()
    expect(page.locator("h1")).to_have_text("Lock file removed")
    expect(page.locator(".verdict-text")).to_contain_text("it is not there")
    assert not file.exists()
    page.locator("#back-to-locks").click()
    expect(page.locator("#locks-verdict")).to_have_text("No lock is held.")


def test_a_dead_owners_lock_is_cleared(page: Page, live_server: Any, state: Path) -> None:
    clear(page, live_server.url, transcript_lock(state, dead_owner()))


def test_the_same_without_scripts(
    browser: Browser, live_server: Any, bob: User, sign_in: SignIn, state: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, bob)
    clear(page, live_server.url, transcript_lock(state, dead_owner()))
    context.close()


def test_a_half_typed_reason_outlives_every_look(
    page: Page, live_server: Any, state: Path, start: Start
) -> None:
    transcript_lock(state, dead_owner())
    page.goto(f"{live_server.url}/locks/")
    page.locator("[data-open]").click()
    page.locator("#clear-reason").fill("half typed")
    before = page.locator("#lock-bar time").get_attribute("datetime")
    assert before
    expect(page.locator("#lock-bar time")).not_to_have_attribute("datetime", before, timeout=15_000)
    expect(page.locator("#clear-reason")).to_have_value("half typed")


# --- axe, on every kind of page -------------------------------------------------------------------


def empty(state: Path, start: Start) -> None:
    """Nothing held, nobody reports."""


def calm(state: Path, start: Start) -> None:
    """Nothing held, and proof of it."""
    report(window(acquired=4812, longest_ms=38))
    report(window(acquired=310, longest_ms=2, program="bot"), "work")


def many(state: Path, start: Start) -> None:
    """An incident: a holder with many waiters, files of the dead and the living, timeouts."""
    hold(start, ADA)
    hold(start, LIN)
    for _ in range(4):
        wait_for(start, ADA)
    transcript_lock(state, dead_owner(), "old")
    transcript_lock(state, {"pid": os.getpid(), "createdAt": "2026-01-05T07:30:00.000Z"}, "over")
    transcript_lock(state, "{}", "odd")
    transcript_lock(state, dead_owner(pid=os.getpid(), starttime=1), "reused")
    (state / "agents/work/sessions/sessions.json.lock").write_text(json.dumps(dead_owner()))
    report(window(acquired=4812, timeouts=7, longest_ms=9800, over_count=3))


def hostile(state: Path, start: Start) -> None:
    """Texts made to break the page."""
    key = f"agent:main:x:{MARKUP}{DIRECTION}:{SECRET}"
    hold(start, key)
    hold(start, f"agent:main:x:{'w' * 150}")
    transcript_lock(state, dead_owner(createdAt=MARKUP), "w" * 200)
    report(window(acquired=40, timeouts=3, key=key, program=f"{MARKUP}{'w' * 100}"))


SCENES = {"empty": empty, "calm": calm, "many": many, "hostile": hostile}


@pytest.mark.slow
@pytest.mark.console_errors
@pytest.mark.parametrize("kind", SCENES)
def test_no_page_has_a_violation(
    kind: str, page: Page, live_server: Any, state: Path, start: Start
) -> None:
    SCENES[kind](state, start)
    page.goto(f"{live_server.url}/locks.json")
    rows = json.loads(page.locator("pre").inner_text())["locks"]
    own = f"/stores/{id_of()}"
    page.goto(f"{live_server.url}{own}/sessions/")
    session = page.locator("[data-open]").last.get_attribute("href")
    paths = ["/locks/", f"{own}/locks/", "/locks/?verdict=other-host", f"{session}?tab=locks"]
    paths += [f"/stores/{row['store_id']}/locks/{row['id']}/" for row in rows]
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    for screen, theme in SCREENS:
        width, height = SIZES[screen]
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        assert check(page, live_server.url, paths) == {}
    assert alerts == []


def check(page: Page, url: str, paths: list[str]) -> dict[str, list[str]]:
    """What axe finds on these pages, what sticks out, and what is shown of a secret."""
    found: dict[str, list[str]] = {}
    for path in paths:
        page.goto(f"{url}{path}")
        for summary in page.locator(".lock-evidence:not([open]) > summary").all()[:1]:
            summary.click()
        bad = violations(page)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            bad.append(f"sticks out by {wide}")
        if SECRET.lower() in page.content().lower():
            bad.append("a secret is shown")
        if bad:
            found[path] = bad
    return found
