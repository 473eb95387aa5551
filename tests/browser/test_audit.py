"""The audit log and the reveal of a value, in a real browser: with scripts, without, by keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from dashboard import audit, audit_chain, audit_checks
from dashboard.acting import Actor
from dashboard.models import AuditEvent
from sessionstore.store import open_store
from tests.browser.axe import violations
from tests.browser.conftest import Visit
from tests.conftest import SignIn

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HIDDEN = "Zq7hiddenValue42x"
MARKUP = '<script>window.broken=1</script><img src=x onerror="window.broken=1">'
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture
def visit_as_admin(page: Page, live_server: Any, alice: User, sign_in: SignIn) -> Visit:
    """Return a function that opens an address of the console as an admin."""
    sign_in(page, alice)

    def visit(path: str) -> Page:
        page.goto(f"{live_server.url}{path}")
        return page

    return visit


@pytest.fixture
def plain_admin_page(plain_page: Page, alice: User, sign_in: SignIn) -> Page:
    """An admin's page in a browser that runs no scripts."""
    sign_in(plain_page, alice)
    return plain_page


@pytest.fixture
def session_path(tmp_path: Path, settings: Any) -> str:
    """Where the one session is, which has a masked value."""
    settings.STATE_DIR = tmp_path
    store = open_store(tmp_path / "agents" / "main" / "sessions")
    store.put("agent:main:main", {"sessionId": "a", "updatedAt": 5, "botToken": HIDDEN})
    store.close()
    return "/sessions/?machine=yes"


def write_events(count: int) -> None:
    by = Actor(user_id=1, name="bob", role="operator", address="192.0.2.7", request_id="req")
    for number in range(count):
        given: dict[str, Any] = {"by": by, "action": "session.edit", "target": f"main: {number}"}
        intent = audit.record(None, outcome="started", **given).sequence
        fields = {"label": ['"a"', '"b"'], MARKUP: [MARKUP, ""]}
        audit.record(None, **given, details={"intent": intent, "fields": fields, "why": MARKUP})


# --- The log -------------------------------------------------------------------------------------


def test_the_check_of_a_long_chain_goes_on_by_itself(
    visit_as_admin: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_chain, "_AT_ONCE", 10)
    monkeypatch.setattr(audit_checks, "PART_S", 0)
    write_events(20)
    page = visit_as_admin("/audit/")
    page.get_by_role("button", name="Verify now").click()
    expect(page.locator("#audit-chain progress")).to_be_visible()
    expect(page.locator("#audit-chain")).to_contain_text("Unbroken, 41 events")
    assert page.url.endswith("/audit/")


def test_a_broken_chain_leads_to_the_event(visit_as_admin: Visit) -> None:
    write_events(3)
    AuditEvent.objects.filter(sequence=4)._raw_delete("default")
    page = visit_as_admin("/audit/")
    page.get_by_role("button", name="Verify now").click()
    page.get_by_role("link", name="events 4 to 4 are missing").click()
    expect(page.get_by_text("This event does not follow the one before it")).to_be_visible()


def test_filters_change_the_list_and_the_address_alone(visit_as_admin: Visit) -> None:
    write_events(3)
    page = visit_as_admin("/audit/")
    page.get_by_label("Text").fill("main: 2")
    expect(page.locator("[data-row]")).to_have_count(1)
    assert page.url.endswith("/audit/?q=main%3A+2")
    page.locator(".filters summary").click()
    page.get_by_label("Outcome").select_option("started")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-row]")).to_contain_text(["then done"])
    assert page.url.endswith("/audit/?q=main%3A+2&outcome=started")


def test_pages_and_events_are_reached_by_keys(visit_as_admin: Visit) -> None:
    write_events(30)
    page = visit_as_admin("/audit/?per=25")
    first = page.locator("[data-row]").first.get_attribute("id")
    page.locator("#page-older").press("Enter")
    expect(page.locator("[data-row]").first).not_to_have_id(first or "")
    page.locator("#page-newer").press("Enter")
    expect(page.locator("[data-row]").first).to_have_id(first or "")
    page.locator("body").press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/audit/\d+/$"))


def test_the_log_works_without_scripts(plain_admin_page: Page, monkeypatch: Any) -> None:
    monkeypatch.setattr(audit_chain, "_AT_ONCE", 6)
    monkeypatch.setattr(audit_checks, "PART_S", 0)
    write_events(4)
    page = plain_admin_page
    page.goto("/audit/")
    page.get_by_role("button", name="Verify now").click()
    page.get_by_role("button", name="Go on checking").click()
    expect(page.locator("#audit-chain")).to_contain_text("Unbroken")
    page.locator(".filters summary").click()
    page.get_by_label("Person").fill("bob")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-row]")).to_have_count(4)
    page.get_by_role("link", name="session.edit").first.click()
    expect(page.get_by_role("heading", name="session.edit")).to_be_visible()


# --- A masked value ------------------------------------------------------------------------------


def open_reveal(page: Page) -> None:
    page.locator("[data-open]").click()
    page.get_by_role("link", name="Reveal /botToken").click()
    page.get_by_label("Reason").fill("to compare")


def test_a_value_is_shown_in_place_and_left_nowhere(
    visit_as_admin: Visit, session_path: str
) -> None:
    page = visit_as_admin(session_path)
    open_reveal(page)
    page.get_by_role("button", name="Reveal this value").click()
    expect(page.locator("#reveal-value")).to_have_text(HIDDEN)
    assert HIDDEN not in page.url
    page.get_by_role("link", name="Hide it and go back").click()
    page.go_back()
    expect(page.get_by_label("Reason")).to_be_visible()
    assert HIDDEN not in page.content()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert HIDDEN not in kept


def test_a_value_is_shown_without_scripts(plain_admin_page: Page, session_path: str) -> None:
    page = plain_admin_page
    page.goto(session_path)
    open_reveal(page)
    page.get_by_role("button", name="Reveal this value").click()
    expect(page.locator("#reveal-value")).to_have_text(HIDDEN)


# --- For everybody -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_screen_has_a_violation(
    theme: str, screen: str, page: Page, visit_as_admin: Visit, session_path: str
) -> None:
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    write_events(2)
    audit.record(None, action="left", outcome="started")
    AuditEvent.objects.filter(sequence=3)._raw_delete("default")
    found = {}
    for path in ("/audit/", "/audit/?person=nobody&x=1", "/audit/?after=x", "/audit/4/"):
        visit_as_admin(path)
        found[path] = violations(page)
    visit_as_admin("/audit/")
    page.get_by_role("button", name="Verify now").click()
    expect(page.locator("#audit-chain")).to_contain_text("Broken")
    found["broken"] = violations(page)
    visit_as_admin(session_path)
    open_reveal(page)
    found["question"] = violations(page)
    page.get_by_role("button", name="Reveal this value").click()
    expect(page.locator("#reveal-value")).to_be_visible()
    found["value"] = violations(page)
    assert {name: bad for name, bad in found.items() if bad} == {}


@pytest.mark.parametrize("path", ["/audit/", "/audit/3/"])
def test_nothing_sticks_out_of_a_phone(path: str, page: Page, visit_as_admin: Visit) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    write_events(2)
    by = Actor(user_id=None, name=MARKUP, role="x" * 20, address="2001:db8::" + "1" * 4)
    audit.record(None, by=by, action="y" * 60, target="z" * 500, reason="w" * 500, outcome="o" * 20)
    visit_as_admin(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
