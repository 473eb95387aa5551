"""Editing a session in a real browser: by keyboard alone, without scripts, beside a lock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from dashboard.services.fleet import fleet
from dashboard.services.refs import digest
from sessionstore.store import Store, open_store
from tests.browser.axe import violations
from tests.browser.test_accessibility import SIZES
from tests.conftest import SignIn
from tests.sessionstore.children.working import hold
from tests.sessionstore.helpers import Child, child

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADA = "agent:main:telegram:direct:ada"
Go = Callable[..., Page]


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    """One session, watched."""
    settings.STATE_DIR = tmp_path / "state"
    store = open_store(tmp_path / "state" / "agents" / "main" / "sessions")
    entry = {"sessionId": "id-ada", "updatedAt": 1_790_000_000_000, "label": "Ada"}
    store.put(ADA, {**entry, "thinkingLevel": "low", "apiKey": "hunter2"})
    store.put("agent:main:main", {"sessionId": "id-main", "label": "Main"})
    return store


@pytest.fixture
def go(store: Store, page: Page, live_server: Any, alice: User, sign_in: SignIn) -> Go:
    """Return a function that opens a page of Ada's as an admin."""
    sign_in(page, alice)
    return lambda rest="": _open(page, live_server.url, rest)


@pytest.fixture
def plain(
    store: Store, browser: Browser, live_server: Any, alice: User, sign_in: SignIn
) -> Iterator[Go]:
    """The same in a browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, alice)
    yield lambda rest="": _open(page, live_server.url, rest)
    context.close()


@pytest.fixture
def holder(store: Store) -> Iterator[Child]:
    """A process that holds Ada's lock until it is told to go on."""
    with child(hold, store.path, ADA) as holder:
        assert holder.hear() == "held"
        yield holder


def _open(page: Page, root: str, rest: str) -> Page:
    store_id = fleet().scan().readers[0].id
    page.goto(f"{root}/stores/{store_id}/sessions/{digest(ADA)[:16]}/{rest}")
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


# --- by keyboard alone ---------------------------------------------------------------------------


def test_an_edit_by_keyboard_alone(store: Store, go: Go) -> None:
    page = go()
    press(page, "e")
    page.wait_for_url("**/edit/")
    for _step in range(60):
        if page.evaluate("document.activeElement.id") == "edit-label":
            break
        press(page, "Tab")
    press(page, "Control+a")
    page.keyboard.type("Ada L.")
    expect(page.locator("#edit-preview")).to_contain_text("Merges 1 field: label.")
    with page.expect_response("**/edit/"):
        press(page, "Enter")  # checks, never saves
    assert page.evaluate("document.activeElement.id") == "edit-label"
    assert (store.get(ADA) or {})["label"] == "Ada"
    page.focus("#edit-reason")
    page.keyboard.type("typo")
    press(page, "Tab")
    assert page.evaluate("document.activeElement.value") == "save"
    press(page, "Enter")
    page.wait_for_url("**/?changed=*")
    expect(page.locator("#change-result")).to_contain_text("read again and found as written")
    assert (store.get(ADA) or {})["label"] == "Ada L."


def test_typing_in_the_form_presses_no_shortcut(go: Go) -> None:
    page = go("edit/")
    page.fill("#edit-label", "")
    page.focus("#edit-label")
    page.keyboard.type("eee?/")
    assert page.url.endswith("/edit/")
    expect(page.locator("#edit-label")).to_have_value("eee?/")


@pytest.mark.console_errors
def test_a_choice_of_a_conflict_by_keyboard(store: Store, go: Go, page: Page) -> None:
    go("edit/?field=label")
    press(page, "Control+a")
    page.keyboard.type("mine")
    store.patch(ADA, {"label": "theirs"})
    page.locator("button[value=save]").focus()
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text("Choose what stays")
    assert page.evaluate("document.activeElement.value") == "now"
    press(page, "ArrowRight")  # to the other radio of the group, which it chooses
    assert page.evaluate("document.activeElement.value") == "mine"
    press(page, "Tab", "Enter")
    page.wait_for_url("**/?changed=*")
    assert (store.get(ADA) or {})["label"] == "mine"


# --- the live difference -------------------------------------------------------------------------


def test_the_difference_follows_the_typing_and_leaves_the_focus_alone(go: Go) -> None:
    page = go("edit/")
    page.focus("#edit-label")
    press(page, "End")
    page.keyboard.type(" L.")
    expect(page.locator("#edit-preview")).to_contain_text('"Ada L."')
    assert page.evaluate("document.activeElement.id") == "edit-label"
    page.select_option("#edit-thinkingLevel", "high")
    expect(page.locator("#edit-preview")).to_contain_text("Merges 2 fields")
    page.select_option("#edit-thinkingLevel", "low")
    page.fill("#edit-label", "Ada")
    expect(page.locator("#edit-preview")).to_contain_text("Nothing differs")


def test_a_json_mistake_is_told_while_typing(go: Go) -> None:
    page = go("edit/json/")
    text = page.locator("#edit-text")
    assert "hunter2" not in page.content()
    text.fill(text.input_value().replace('"Ada",', '"Ada",,'))
    preview = page.locator("#edit-preview")
    expect(preview).to_contain_text("A name in double quotes is expected here")
    expect(preview).to_contain_text(re.compile(r"Line \d+, column \d+"))
    text.fill(text.input_value().replace('"Ada",,', '"Ada L.",'))
    expect(preview).to_contain_text("Merges 1 field: label.")


# --- beside a lock -------------------------------------------------------------------------------


@pytest.mark.console_errors
def test_waiting_counts_down_and_saves_by_itself(store: Store, go: Go, holder: Child) -> None:
    page = go("edit/")
    page.fill("#edit-label", "mine")
    page.click("button[value=watch]")
    expect(page.locator("h1")).to_have_text("The session is locked")
    page.check("input[name=wait_s][value='30']")
    page.click("button[value=wait]")
    left = page.locator("[role=timer]")
    expect(left).to_have_text("30 seconds left")
    expect(left).to_have_text(re.compile(r"2[78] seconds left"), timeout=8000)
    holder.say("go on")
    page.wait_for_url("**/?changed=*&watch=1", timeout=8000)
    assert holder.hear() == "done"
    assert (store.get(ADA) or {})["label"] == "mine"
    store.patch(ADA, {"totalTokens": 5})
    expect(page.locator("#change-result")).to_contain_text(
        "A writer has since written totalTokens", timeout=8000
    )


@pytest.mark.console_errors
def test_giving_up_while_waiting_saves_nothing(store: Store, go: Go, holder: Child) -> None:
    page = go("edit/")
    page.fill("#edit-label", "mine")
    page.click("button[value=save]")
    page.click("button[value=wait]")
    page.click("#edit-stop")
    page.wait_for_url(re.compile(r"/sessions/[0-9a-f]+/$"))
    holder.say("go on")
    assert holder.hear() == "done"
    page.wait_for_timeout(1500)
    assert (store.get(ADA) or {})["label"] == "Ada"


# --- without scripts -----------------------------------------------------------------------------


def test_check_and_save_without_scripts(store: Store, plain: Go) -> None:
    page = plain("edit/")
    page.fill("#edit-label", "Ada L.")
    page.locator(".edit-buttons").get_by_role("button", name="Check").click()
    expect(page.locator("#edit-preview")).to_contain_text("Merges 1 field: label.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#change-result")).to_contain_text("read again and found as written")
    page.locator("#change-result").get_by_role("link", name="Undo").click()
    page.get_by_role("button", name="Undo this change").first.click()
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_waiting_without_scripts_is_a_button(store: Store, plain: Go, holder: Child) -> None:
    page = plain("edit/")
    page.fill("#edit-label", "mine")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Wait for the lock").click()
    again = page.get_by_role("button", name=re.compile(r"Try again, \d+ s left"))
    again.click()
    expect(again).to_be_visible()
    holder.say("go on")
    assert holder.hear() == "done"
    again.click()
    expect(page.locator("#change-result")).to_be_visible()
    assert (store.get(ADA) or {})["label"] == "mine"


def test_every_action_works_without_scripts(store: Store, plain: Go) -> None:
    page = plain()
    page.get_by_text("Actions", exact=True).click()
    page.get_by_role("link", name="Rename").click()
    page.fill("#act-label", "Renamed")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text("Renamed")
    for name in ("Archive", "Reset"):
        page.get_by_text("Actions", exact=True).click()
        page.locator(".session-actions").get_by_role("link", name=name).click()
        page.get_by_role("button", name=name).click()
        expect(page.locator("#change-result")).to_contain_text(f"{name}: saved")
    page.get_by_text("Actions", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    assert store.get(ADA) is None


# --- axe and sizes -------------------------------------------------------------------------------

SCREENS = (
    *("", "edit/", "edit/?field=execAsk", "edit/json/", "act/rename/", "act/archive/"),
    *("act/reset/", "act/delete/", "act/clear_overrides/", "copy/", "?tab=history"),
)


@pytest.mark.slow
@pytest.mark.console_errors
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_page_has_a_violation(
    theme: str, screen: str, store: Store, go: Go, page: Page, holder: Child
) -> None:
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    found = {}

    def look(name: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if bad := violations(page):
            found[name] = bad

    for rest in SCREENS:
        go(rest)
        look(rest)
    go("edit/json/").fill("#edit-text", "{oops")
    expect(page.locator(".edit-mistake")).to_be_visible()
    look("mistake")
    go("edit/").fill("#edit-queueCap", "0")
    page.fill("#edit-label", "mine")
    expect(page.locator(".edit-errors")).to_be_visible()
    look("checked")
    page.click("button[value=save]")
    expect(page.locator("#error-queueCap")).to_be_visible()
    look("invalid")
    page.fill("#edit-queueCap", "5")
    page.click("button[value=save]")
    expect(page.locator("h1")).to_have_text("The session is locked")
    look("locked")
    page.click("button[value=wait]")
    expect(page.locator("[role=timer]")).to_be_visible()
    holder.kill()
    page.wait_for_url("**/?changed=*")
    look("saved")
    go("edit/").fill("#edit-label", "again")
    store.patch(ADA, {"label": "theirs"})
    page.click("button[value=save]")
    expect(page.locator("h1")).to_have_text("Choose what stays")
    look("conflict")
    go("edit/").fill("#edit-label", "again")
    store.delete(ADA)
    page.click("button[value=save]")
    expect(page.locator("h1")).to_have_text("The session is gone")
    look("gone")
    assert found == {}


def test_the_buttons_stay_in_sight_on_a_phone_and_hide_no_focus(go: Go, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 700})
    go("edit/?field=execAsk")
    expect(page.locator("button[value=save]")).to_be_in_viewport()
    for _step in range(8):
        press(page, "Tab")
        covered = page.evaluate(
            """() => {
                const box = document.activeElement.getBoundingClientRect();
                const bar = document.querySelector('.edit-buttons').getBoundingClientRect();
                const inside = document.activeElement.closest('.edit-buttons');
                return !inside && box.bottom > bar.top;
            }"""
        )
        assert not covered
