"""Markup in every text that others choose, in a real Chromium, on every page that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page

from dashboard.jobs import kinds
from tests.conftest import SignIn, client_for
from tests.dashboard.incidents.crawling import Crawl
from tests.dashboard.incidents.planting import SAYS, World, name_people, plant
from tests.dashboard.url_map import all_addresses

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MARKUP = [
    '<img src=x onerror="window.broken=1" x-planted>',
    "\"><svg onload='window.broken=1'><x-planted>",
    "' autofocus onfocus='window.broken=1' x-planted='",
    "</script><script>window.broken=1</script><x-planted>",
    "javascript:window.broken=1",
]
PLANTED = "x-planted, [x-planted], main img, main script, [href^='javascript'], [src^='javascript']"


@pytest.fixture
def world(tmp_path: Path, settings: Any, alice: User, monkeypatch: pytest.MonkeyPatch) -> World:
    """The planted state and console."""
    settings.STATE_DIR = tmp_path / "state"
    monkeypatch.setitem(kinds.KINDS, SAYS.name, SAYS)
    world = plant(settings.STATE_DIR, MARKUP, alice)
    name_people(alice, MARKUP)
    return world


def pages(world: World, admin: User) -> list[str]:
    """Some addresses of every page, each tab and parameter among them."""
    starts = [a.at(world.values) for a in all_addresses() if not a.wants_token]
    visits = Crawl(client_for(admin), most_alike=1).visits(starts)
    return [
        visit.address
        for visit in visits
        if visit.kind == "text/html" and visit.status == 200 and not visit.is_part
    ]


@pytest.mark.timeout(600)
def test_planted_markup_runs_on_no_page(
    page: Page, live_server: Any, world: World, alice: User, sign_in: SignIn
) -> None:
    """The page fixture fails the test on any violation of the script policy, too."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
    opened = pages(world, alice)
    sign_in(page, alice)
    broken = []
    for path in opened:
        page.goto(f"{live_server.url}{path}", wait_until="load")
        page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
        if page.evaluate("window.broken") or page.locator(PLANTED).count():
            broken.append(path)
    assert broken == []
    assert len(opened) > 40
    assert [url for url in asked if not url.startswith(live_server.url)] == []


def test_planted_markup_runs_in_no_part_that_is_swapped_in(
    page: Page, live_server: Any, world: World, alice: User, sign_in: SignIn
) -> None:
    sign_in(page, alice)
    values = world.values
    session = f"/stores/{values['store_id']}/sessions/{values['ref']}/"
    for path, press in (
        (session, ".tabs-link"),
        ("/sessions/", ".sort"),
        ("/audit/", "#audit-verify"),
        ("/audit/?per=25", "#page-older"),
    ):
        page.goto(f"{live_server.url}{path}")
        for at in range(min(6, page.locator(press).count())):
            with page.expect_response(lambda answer: "hx-request" in answer.request.headers):
                page.locator(press).nth(at).click()
            page.wait_for_timeout(100)
            assert page.evaluate("window.broken") is None
            assert page.locator(PLANTED).count() == 0
            if press != ".tabs-link":
                break
