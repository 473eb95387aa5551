"""The clean-up in a real browser: find, preview, apply, take back; without scripts too, and axe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from dashboard.jobs import life
from dashboard.models import TidyPlan
from sessionstore.store import open_store
from tests.browser.axe import violations
from tests.conftest import SignIn
from tests.dashboard.tidy.conftest import id_of, populate, run_jobs, written

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """A store with something of every kind to tidy, watched."""
    path = tmp_path / "state"
    settings.STATE_DIR = path
    settings.GATEWAY_LOCK_DIR = tmp_path / "locks"
    settings.GATEWAY_LOCK_DIR.mkdir()
    life.begin("a-runner")
    return populate(path)


@pytest.fixture
def page(page: Page, alice: User, sign_in: SignIn) -> Page:
    """The browser of the admin alice."""
    sign_in(page, alice)
    return page


def keys_of(folder: Path) -> list[str]:
    with open_store(folder) as store:
        return list(store.keys())


def check(page: Page, url: str) -> None:
    page.goto(f"{url}/stores/{id_of()}/tidy/")
    page.locator("#check-now").click()
    page.wait_for_url("**/tidy/")
    run_jobs()


def make_plan(page: Page, url: str) -> None:
    page.goto(f"{url}/stores/{id_of()}/tidy/")
    page.locator("#to-plan").click()
    for name in ("prune_after_s", "orphan_retention_s", "archive_retention_s"):
        page.locator(f"#policy-{name}").fill("30d")
    page.locator("#policy-leftover_retention_s").fill("1d")
    page.locator("#policy-go").click()
    page.wait_for_url("**/tidy/plans/*/")
    run_jobs()
    page.reload()


def apply(page: Page) -> None:
    page.locator("#apply-reason").fill("Nobody needs these")
    page.locator("#apply-count").fill(str(page.locator("label[for=apply-count]").inner_text()[5]))
    page.locator("#apply-go").click()
    page.wait_for_load_state()
    run_jobs()
    page.reload()


def walk_through(page: Page, url: str, folder: Path) -> None:
    """Find, preview, leave one out, apply, take back."""
    before = keys_of(folder)
    check(page, url)
    page.goto(f"{url}/tidy/?rule=orphan-transcript")
    expect(page.locator(".tidy-finding")).to_have_count(1)
    expect(page.locator(".tidy-finding")).to_contain_text("main-nobody.jsonl")
    make_plan(page, url)
    expect(page.locator("#plan-verdict")).to_contain_text("It would delete 2 items")
    page.locator("tr:has-text('agent:main:direct:0001') input[type=checkbox]").check()
    page.locator("#leave-out").click()
    page.wait_for_load_state()
    expect(page.locator("tr:has-text('agent:main:direct:0001')")).to_contain_text("Left out")
    assert keys_of(folder) == before
    apply(page)
    expect(page.locator("#plan-verdict")).to_contain_text("items done.")
    assert set(before) - set(keys_of(folder)) == {"agent:main:direct:0000"}
    page.locator("#back-reason").fill("Too early")
    page.locator("#back-go").click()
    page.wait_for_load_state()
    run_jobs()
    page.reload()
    expect(page.locator("#plan-verdict")).to_contain_text("taken back.")
    assert keys_of(folder) == before


def test_find_preview_apply_and_take_back(page: Page, live_server: Any, folder: Path) -> None:
    walk_through(page, live_server.url, folder)


def test_all_of_it_works_without_scripts(
    browser: Browser, live_server: Any, folder: Path, alice: User, sign_in: SignIn
) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    page = context.new_page()
    sign_in(page, alice)
    walk_through(page, live_server.url, folder)
    context.close()


def test_the_page_follows_the_check_by_itself(page: Page, live_server: Any, folder: Path) -> None:
    page.goto(f"{live_server.url}/tidy/")
    expect(page.locator("#tidy-verdict")).to_have_text("Nothing was checked yet.")
    page.locator("#check-now").click()
    expect(page.locator(".tidy-job")).to_be_visible()
    run_jobs()
    expect(page.locator("#tidy-verdict")).to_contain_text("examined", timeout=10_000)
    expect(page.locator(".tidy-job")).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_screen_of_the_clean_up_has_a_violation(
    theme: Any, screen: str, page: Page, live_server: Any, folder: Path
) -> None:
    url = live_server.url
    page.emulate_media(color_scheme=theme)
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    found: dict[str, list[str]] = {}

    def look(name: str, path: str = "") -> None:
        if path:
            page.goto(f"{url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if bad := violations(page):
            found[name] = bad

    look("unchecked", "/tidy/")
    check(page, url)
    written(folder / "main-later.jsonl", 40)
    check(page, url)
    store = id_of()
    look("all", "/tidy/")
    look("store", f"/stores/{store}/tidy/?severity=warning")
    look("new", f"/stores/{store}/tidy/?show=new")
    look("none", "/tidy/?q=nothing-like-this")
    page.goto(f"{url}/stores/{store}/tidy/reports/")
    expect(page.locator("canvas[data-drawn]")).to_have_count(3)
    look("reports")
    look("schedules", "/tidy/schedules/")
    look("policy", f"/stores/{store}/tidy/plan/")
    make_plan(page, url)
    look("plan")
    apply(page)
    look("run")
    look("plans", "/tidy/plans/")
    look("gone", f"/tidy/plans/{TidyPlan.objects.get().pk}/?outcome=failed")
    assert found == {}
