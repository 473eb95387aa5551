"""People, sign-ins, tokens and settings in a real browser: the flows, and that all can use them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from dashboard import sso, tokens
from dashboard.acting import Actor
from dashboard.models import AgentScope, ApiToken, SignIn, SsoName
from dashboard.people import invites
from dashboard.roles import role_of
from tests.browser.axe import violations
from tests.browser.test_accessibility import SIZES
from tests.conftest import PASSWORD, MakeUser
from tests.conftest import SignIn as SignInPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BY = Actor(1, "alice", "admin")
LONG = "a-name-that-somebody-made-as-long-as-it-may-be-" + "x" * 100


@pytest.fixture
def open_page(
    page: Page, live_server: Any, alice: User, sign_in: SignInPage
) -> Callable[[str], Page]:
    """Return a function that opens an address of the console as an admin."""
    sign_in(page, alice)

    def open_page(path: str) -> Page:
        page.goto(f"{live_server.url}{path}")
        return page

    return open_page


@pytest.fixture
def crowd(carol: User, bob: User, make_user: MakeUser, watching_demo: Path) -> User:
    """Somebody of every kind, with sign-ins, tokens and failures; returns carol."""
    AgentScope.objects.create(user=carol, agents=["main", "<b>agent</b>", LONG])
    make_user(LONG, "operator")
    gone = make_user("gone", None)
    gone.is_active = False
    gone.save()
    invites.issue(User.objects.create_user("invited"), by=BY)
    for role in ("viewer", "operator"):
        tokens.issue(bob, name=f"{role} <i>{LONG[:50]}</i>", role=role, agents=["main"])
    old = timezone.now() - timedelta(days=80)
    tokens.issue(carol, name="old", role="viewer", lifetime=timedelta(days=81), now=old)
    tokens.revoke(ApiToken.objects.filter(user=bob)[0], by=BY)
    SsoName.objects.create(name="carol@corp", user=carol)
    for number in range(3):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}", headers={"User-Agent": "<img src=x> " * 9})
        client.post("/login/", {"username": "carol", "password": PASSWORD})
    for name in ("<script>alert(1)</script>", "carol", LONG) * 5:
        Client().post("/login/", {"username": name, "password": "x"}, REMOTE_ADDR="192.0.2.99")
    SignIn.objects.filter(address="192.0.2.0").update(ended_at=timezone.now(), ended_because="x")
    return carol


def pages_about(person: User) -> list[str]:
    return [
        *("/people/", "/people/new/", f"/people/{person.pk}/", f"/people/{person.pk}/delete/"),
        *(
            "/sign-ins/",
            "/sign-ins/failed/",
            "/tokens/",
            "/tokens/new/",
            "/security/",
            "/settings/",
        ),
        *("/account/", "/invite/?token=wrong", f"/people/{User.objects.get(username=LONG).pk}/"),
    ]


@pytest.mark.slow
@pytest.mark.console_errors
@pytest.mark.parametrize(
    ("theme", "screen", "age"),
    [
        ("light", "desktop", "fresh"),
        ("dark", "desktop", "old"),
        ("light", "phone", "old"),
        ("dark", "phone", "fresh"),
    ],
)
def test_no_page_about_people_has_a_violation(
    theme: Any,
    screen: str,
    age: str,
    page: Page,
    open_page: Callable[[str], Page],
    crowd: User,
    settings: Any,
) -> None:
    settings.SSO_HEADER = "X-Auth-User"
    if age == "old":
        SignIn.objects.update(confirmed_at=timezone.now() - timedelta(hours=1))
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    found = {}
    for path in pages_about(crowd):
        open_page(path)
        if bad := violations(page):
            found[path] = bad
    assert found == {}


@pytest.mark.console_errors
def test_nothing_about_people_sticks_out_of_a_phone(
    page: Page, open_page: Callable[[str], Page], crowd: User, settings: Any
) -> None:
    settings.SSO_HEADER = "X-Auth-User"
    page.set_viewport_size({"width": 320, "height": 700})
    wide = {}
    for path in pages_about(crowd):
        open_page(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[path] = width
    assert wide == {}


def test_everything_to_press_about_people_is_large_enough(
    page: Page, open_page: Callable[[str], Page], crowd: User
) -> None:
    for path in pages_about(crowd)[:11]:
        open_page(path)
        small = page.evaluate(
            """() => [...document.querySelectorAll('main :is(.button, summary, .check)')]
                .filter((e) => e.checkVisibility() && !e.closest('.visually-hidden'))
                .filter((e) => e.getBoundingClientRect().height < 24)
                .map((e) => e.outerHTML.slice(0, 120))"""
        )
        assert small == [], path


@pytest.fixture
def plain(browser: Browser, live_server: Any) -> Iterator[Page]:
    """A stranger's page in a browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    yield context.new_page()
    context.close()


def test_an_invited_person_chooses_a_password_without_scripts(
    open_page: Callable[[str], Page], plain: Page, watching_demo: Path
) -> None:
    page = open_page("/people/")
    page.get_by_role("link", name="New person").click()
    page.get_by_label("Name", exact=True).fill("erin")
    page.get_by_label("Operator:").check()
    page.get_by_label("Only these:").check()
    page.get_by_role("checkbox", name="main").check()
    page.get_by_role("button", name="Make the account").click()
    link = page.locator(".shown-once").inner_text()
    plain.goto(link)
    for label in ("New password:", "New password confirmation:"):
        plain.get_by_label(label.rstrip(":"), exact=True).fill("the password of erin")
    plain.get_by_role("button", name="Set the password").click()
    expect(plain.locator("#messages")).to_contain_text("You are signed in")
    expect(plain.get_by_text("research", exact=True)).to_have_count(0)
    plain.goto("/account/")
    expect(plain.locator("main")).to_contain_text("operator")
    plain.goto(link)
    expect(plain.get_by_role("heading")).to_contain_text("This link does not work")


def test_a_role_is_changed_with_the_keyboard_alone(
    open_page: Callable[[str], Page], carol: User, watching_demo: Path
) -> None:
    page = open_page(f"/people/{carol.pk}/")
    page.get_by_label("Viewer:").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Operator:")).to_be_checked()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == "Save":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("What carol may do was saved")
    assert role_of(User.objects.get(pk=carol.pk)) == "operator"


@pytest.mark.console_errors
def test_an_old_sign_in_is_asked_for_the_password_where_it_is_needed(
    open_page: Callable[[str], Page], carol: User, watching_demo: Path
) -> None:
    open_page("/people/")
    SignIn.objects.update(confirmed_at=timezone.now() - timedelta(minutes=11))
    page = open_page(f"/people/{carol.pk}/")
    account = page.get_by_role("region", name="Account")
    account.get_by_role("button", name="Disable").click()
    expect(account.locator(".field-error")).to_contain_text("Type your password")
    assert User.objects.get(pk=carol.pk).is_active
    account.get_by_label("Your password").fill(PASSWORD)
    account.get_by_role("button", name="Disable").click()
    expect(page.locator("#messages")).to_contain_text("carol was disabled")
    account.get_by_role("button", name="Enable").click()
    expect(page.locator("#messages")).to_contain_text("can sign in again")


def test_the_last_admin_is_told_why_not(
    open_page: Callable[[str], Page], alice: User, watching_demo: Path, page: Page, request: Any
) -> None:
    request.node.add_marker(pytest.mark.console_errors)
    open_page(f"/people/{alice.pk}/delete/")
    page.get_by_role("button", name="Delete the account").click()
    expect(page.locator("main")).to_contain_text("last admin who can sign in")
    expect(page.locator("main")).to_contain_text("Make another admin first")


def test_a_token_is_made_rotated_and_revoked(
    open_page: Callable[[str], Page], watching_demo: Path, alice: User
) -> None:
    page = open_page("/tokens/")
    page.get_by_role("link", name="New token").first.click()
    page.get_by_label("What it is for").fill("nightly export")
    page.get_by_role("button", name="Make the token").click()
    first = page.locator(".shown-once").inner_text()
    assert re.fullmatch(r"sst_[0-9a-f]{8}_[\w-]{43}", first)
    page.get_by_role("link", name="I have copied it").click()
    expect(page.locator("main")).not_to_contain_text(first)
    page.locator("summary", has_text="Change").click()
    page.get_by_role("button", name="Rotate").click()
    second = page.locator(".shown-once").inner_text()
    assert second != first
    page.get_by_role("link", name="I have copied it").click()
    page.locator("summary", has_text="Change").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator("#messages")).to_contain_text("was revoked")
    assert not ApiToken.objects.filter(revoked_at=None).exists()


def test_a_sign_in_is_ended_from_another_browser(
    open_page: Callable[[str], Page], plain: Page, live_server: Any, watching_demo: Path
) -> None:
    plain.goto("/login/")
    plain.get_by_label("Username").fill("alice")
    plain.get_by_label("Password").fill(PASSWORD)
    plain.get_by_role("button", name="Sign in").click()
    page = open_page("/account/")
    page.get_by_role("button", name=re.compile(r"^End\b.*alice")).click()
    expect(page.locator("#messages")).to_contain_text("was ended")
    plain.goto("/account/")
    expect(plain.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(plain.locator("#messages")).to_contain_text("you ended it from elsewhere")


def test_hostile_names_stay_text_on_every_page(
    open_page: Callable[[str], Page], crowd: User, page: Page
) -> None:
    ran: list[str] = []
    page.on("dialog", lambda dialog: ran.append(dialog.message))
    for path in ("/people/", "/sign-ins/", "/sign-ins/failed/", "/tokens/", "/security/"):
        open_page(path)
        assert page.evaluate("document.querySelectorAll('main :is(img, b, i, script)').length") == 0
    assert ran == []


def test_the_proxys_name_signs_in_with_one_click(
    browser: Browser, live_server: Any, carol: User, settings: Any, watching_demo: Path
) -> None:
    settings.SSO_HEADER = "X-Auth-User"
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("127.0.0.1"),)
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, sso.BACKEND]
    SsoName.objects.create(name="carol@corp", user=carol)
    context = browser.new_context(
        base_url=live_server.url, extra_http_headers={"X-Auth-User": "carol@corp"}
    )
    page = context.new_page()
    page.goto("/stores/")
    assert violations(page) == []
    page.get_by_role("button", name="Sign in as carol@corp").click()
    expect(page).to_have_url(f"{live_server.url}/stores/")
    page.goto("/account/")
    expect(page.locator("main")).to_contain_text("carol@corp")
    context.close()
