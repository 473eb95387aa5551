"""Versions and undo in a real browser: by mouse, by keyboard alone, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from dashboard.acting import Actor
from dashboard.models import Change, Job
from dashboard.services import changing
from sessionstore.store import Store
from tests.conftest import SignIn
from tests.dashboard.pages.hostile import MARKUP
from tests.dashboard.undo.conftest import KEY, WORK_KEY, Edit, id_of, path_of, versions_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
Visit = Callable[[str], Page]


@pytest.fixture
def visit(page: Page, live_server: Any, bob: User, sign_in: SignIn) -> Visit:
    """Return a function that opens an address of the console as the operator bob."""
    sign_in(page, bob)

    def visit(path: str) -> Page:
        page.goto(f"{live_server.url}{path}")
        return page

    return visit


@pytest.fixture
def plain_page(browser: Browser, live_server: Any, bob: User, sign_in: SignIn) -> Iterator[Page]:
    """The operator's page in a browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    page = context.new_page()
    sign_in(page, bob)
    yield page
    context.close()


def press_until(page: Page, name: str, *, key: str = "Tab") -> None:
    """Press a key until the control of that name has the focus."""
    for _press in range(80):
        page.keyboard.press(key)
        focused = page.evaluate("document.activeElement.innerText || document.activeElement.name")
        if focused and name in focused:
            return
    raise AssertionError(f"{name} was not reached")


# --- Flows ---------------------------------------------------------------------------------------


def test_versions_are_compared_without_leaving_the_tab(
    page: Page, visit: Visit, store_id: str, edit: Edit
) -> None:
    edit(label="Anna")
    edit(category="x")
    visit(f"{path_of(store_id)}?tab=versions")
    page.evaluate("window.stayed = true")
    page.locator("input[name=a]").nth(2).check()
    page.get_by_role("button", name="Compare the two").click()
    expect(page.get_by_role("heading", name="2 fields differ")).to_be_visible()
    assert "a=" in page.url
    assert "b=now" in page.url
    assert "tab=versions" in page.url
    assert page.evaluate("window.stayed") is True
    shown = page.url
    page.get_by_role("link", name="Close").click()
    expect(page.locator(".compared")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("heading", name="2 fields differ")).to_be_visible()
    assert page.url == shown
    page.reload()
    expect(page.get_by_role("heading", name="2 fields differ")).to_be_visible()


def test_a_field_is_restored_from_the_comparison(
    page: Page, visit: Visit, store: Store, store_id: str, edit: Edit
) -> None:
    edit(label="Anna", category="x")
    visit(f"{path_of(store_id)}?tab=versions")
    page.get_by_role("link", name="Before: Edit").click()
    page.get_by_role("link", name=re.compile("Restore this field.*label")).click()
    expect(page.get_by_role("heading", name="Restore the field label")).to_be_visible()
    page.get_by_label("Reason").fill("wrong person")
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("1 field was read back")
    entry = store.get(KEY) or {}
    assert (entry["label"], entry["category"]) == ("Ada", "x")
    page.get_by_role("button", name="Undo this change").click()
    expect(page.locator("#messages")).to_contain_text("It is undone.")
    assert (store.get(KEY) or {})["label"] == "Anna"


@pytest.mark.console_errors
def test_a_choice_is_made_where_a_writer_was_quicker(
    page: Page, visit: Visit, store: Store, edit: Edit
) -> None:
    change_id = edit(label="Anna", category="x")
    visit(f"/undo/{change_id}/")
    store.patch(KEY, {"label": "theirs"})
    page.get_by_role("button", name="Undo this change").click()
    expect(page.locator(".notices[role=alert]")).to_contain_text("Someone else changed it first")
    page.get_by_label("Put this back: label").check()
    store.patch(KEY, {"label": "theirs again"})
    page.get_by_role("button", name="Undo this change").click()
    expect(page.locator(".undo-table")).to_contain_text("theirs again")
    expect(page.get_by_label("Put this back: label")).not_to_be_checked()
    page.get_by_label("Keep this: label").check()
    page.get_by_role("button", name="Undo this change").click()
    expect(page.locator("#messages")).to_contain_text("It is undone.")
    entry = store.get(KEY) or {}
    assert (entry["label"], "category" in entry) == ("theirs again", False)


def test_a_change_is_taken_back_with_the_keyboard_alone(
    page: Page, visit: Visit, store: Store, edit: Edit
) -> None:
    edit(label="Anna")
    store.patch(KEY, {"label": "theirs"})
    visit("/undo/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What it did")).to_be_visible()
    press_until(page, "choice-label")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Put this back: label")).to_be_checked()
    press_until(page, "reason")
    page.keyboard.type("wrong person")
    press_until(page, "Undo this change")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("It is undone.")
    assert (store.get(KEY) or {})["label"] == "Ada"
    assert Change.objects.latest("pk").reason == "wrong person"


def test_everything_works_without_scripts(
    plain_page: Page, store: Store, store_id: str, edit: Edit, admin: Actor
) -> None:
    page = plain_page
    edit(label="Anna")
    page.goto("/undo/")
    page.get_by_label("Session", exact=True).fill("telegram")
    page.get_by_role("button", name="Search").click()
    assert "q=telegram" in page.url
    page.get_by_role("link", name="Edit: label").click()
    page.get_by_role("button", name="Undo this change").click()
    expect(page.locator("#messages")).to_contain_text("It is undone.")
    page.get_by_role("link", name="its versions").click()
    page.locator("input[name=a]").nth(1).check()
    page.get_by_role("button", name="Compare the two").click()
    expect(page.get_by_role("heading", name="1 field differs")).to_be_visible()
    page.get_by_role("link", name="Restore the whole entry").click()
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("It is restored.")
    assert (store.get(KEY) or {})["label"] == "Anna"
    changing.act(admin, store_id, KEY, "delete", {})
    page.goto(f"{path_of(store_id)}versions/")
    expect(page.locator("main")).to_contain_text("This session is gone")
    page.get_by_role("link", name=re.compile("^Restore")).first.click()
    page.get_by_role("button", name="Restore", exact=True).click()
    assert store.get(KEY) is not None


def test_filters_narrow_the_list_while_typing(page: Page, visit: Visit, edit: Edit) -> None:
    edit(label="Anna")
    edit(key="agent:main:explicit:other", label="Other")
    visit("/undo/")
    page.keyboard.press("/")
    page.keyboard.type("other")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator("#filter-q")).to_be_focused()
    page.wait_for_url("**/undo/?q=other")


# --- Looks ---------------------------------------------------------------------------------------


@pytest.fixture
def addresses(store: Store, store_id: str, edit: Edit, operator: Actor, admin: Actor) -> list[str]:
    """Every kind of page with something to show."""
    first = edit(label="Anna", reason="asked for", goal={"a": [1, {"b": "c"}]})
    hostile = edit(label=MARKUP * 3, reason="R" * 300, **{MARKUP: "x" * 9_000, "W" * 300: MARKUP})
    undone = edit(category="x")
    changing.take_back(operator, undone)
    store.patch(KEY, {"label": "theirs"})
    made = edit(key="agent:main:explicit:made", label="Made")
    store.patch("agent:main:explicit:made", {"totalTokens": 5})
    gone = "agent:main:explicit:" + "long" * 30
    edit(key=gone, label="Gone")
    changing.act(admin, store_id, gone, "delete", {})
    now = timezone.now()
    job = Job.objects.create(kind="bulk", title="Archive", created_at=now, not_before=now)
    Change.objects.filter(pk__in=[made, undone]).update(job_id=job.pk)
    [version_id] = versions_of([first])
    session = path_of(store_id)
    return [
        *("/undo/", f"/undo/?job={job.pk}", "/undo/?q=nothing", "/undo/?after=soon&bogus=1"),
        *(
            f"/undo/{first}/",
            f"/undo/{hostile}/",
            f"/undo/{made}/",
            f"/undo/{undone}/",
            f"/undo/jobs/{job.pk}/",
        ),
        f"{session}?tab=versions&a={version_id}",
        f"{session}versions/",
        f"{session}versions/{version_id}/restore/",
        f"{path_of(store_id, gone)}versions/",
        f"{path_of(id_of('work'), WORK_KEY)}versions/",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_page_has_a_violation(
    theme: str, screen: str, page: Page, visit: Visit, addresses: list[str]
) -> None:
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    found = {}
    for path in addresses:
        visit(path)
        bad = Axe().run(page).response["violations"]
        if bad:
            found[path] = [
                (rule["id"], node["html"][:200]) for rule in bad for node in rule["nodes"]
            ]
    assert found == {}


def test_nothing_sticks_out_of_a_phone_and_all_is_large_enough(
    page: Page, visit: Visit, addresses: list[str]
) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    for path in addresses:
        visit(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        small = page.evaluate(
            """() => [...document.querySelectorAll('main :is(button, .button, summary, label)')]
                .filter((e) => !e.matches('.field-label'))
                .filter((e) => e.checkVisibility() && !e.closest('.visually-hidden'))
                .filter((e) => e.getBoundingClientRect().height < 24)
                .map((e) => e.outerHTML.slice(0, 120))"""
        )
        assert small == [], path
        assert page.evaluate("window.broken") is None
