"""The account pages in a real browser: they work, keep to the script policy, and clean up."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from dashboard import accounts
from tests.conftest import PASSWORD, SignIn

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def violations(page: Page, *, within: str | None = None) -> list[str]:
    found = Axe().run(page, context=within).response["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def test_first_admin_is_made_by_the_printed_link(page: Page, live_server: Any) -> None:
    token = accounts.issue_setup_token(timezone.now())
    page.goto(f"{live_server.url}/setup/?token={token}")
    assert violations(page) == []
    page.get_by_label("Username").fill("alice")
    page.locator("[name=password1]").fill(PASSWORD)
    page.locator("[name=password2]").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page).to_have_url(f"{live_server.url}/")
    expect(page.locator("#messages")).to_contain_text("signed in as an admin")


def test_signing_in_and_out_leaves_nothing_in_the_browser(
    page: Page, live_server: Any, carol: User
) -> None:
    page.goto(f"{live_server.url}/account/")
    assert violations(page) == []
    page.get_by_label("Username").fill("carol")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{live_server.url}/account/")
    assert violations(page, within="main") == []
    page.evaluate("sessionStorage.setItem('left', '1'); localStorage.setItem('left', '1')")
    page.locator("summary", has_text="Account and display").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("[localStorage.left, sessionStorage.left]") == [None, None]
    cookies = {cookie.get("name") for cookie in page.context.cookies()}
    assert "sessionstore_session" not in cookies
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.console_errors
def test_a_refused_sign_in_says_so_beside_the_form(
    page: Page, live_server: Any, carol: User
) -> None:
    page.goto(f"{live_server.url}/login/")
    page.get_by_label("Username").fill("carol")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Please enter a correct username and password")).to_be_visible()
    assert violations(page) == []


def test_password_page_is_accessible(
    page: Page, live_server: Any, carol: User, sign_in: SignIn
) -> None:
    sign_in(page, carol)
    page.goto(f"{live_server.url}/account/password/")
    assert violations(page) == []


@pytest.mark.console_errors
def test_error_pages_are_accessible(page: Page, live_server: Any) -> None:
    page.goto(f"{live_server.url}/nowhere")
    assert violations(page) == []
