"""A transcript in a real browser: found, read on a click, paged, with and without scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from dashboard.models import AuditEvent
from sessionstore.store import open_store
from tests.browser.axe import violations
from tests.browser.test_accessibility import SIZES
from tests.conftest import SignIn
from tests.dashboard.transcripts.conftest import KEY, SID, message

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HOSTILE = "<img src=x onerror=\"document.title='broken'\"><script>window.broken=1</script>\u202e"


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Path:
    """One session with a long conversation, hostile and damaged lines, and an archive."""
    settings.STATE_DIR = tmp_path
    store = open_store(tmp_path / "agents" / "main" / "sessions")
    store.put(KEY, {"sessionId": SID, "updatedAt": 1_790_000_000_000})
    call = {"type": "toolCall", "name": HOSTILE, "arguments": {"q": HOSTILE}}
    lines: list[dict[str, Any]] = [
        {"type": "session", "version": 3, "id": SID, "cwd": HOSTILE},
        *(message(number) for number in range(1, 80)),
        message(80, HOSTILE),
        message(81, "x" * 5000, role="assistant"),
        message(82, role="toolResult", toolName="bash"),
    ]
    lines[-2]["message"]["content"] = [{"type": "thinking", "thinking": HOSTILE}, call]
    file = store.path.with_name(f"{SID}.jsonl")
    text = "\n".join(map(json.dumps, lines))
    file.write_text(f'{text}\n{{"type": "mess\n')
    file.with_name(f"{SID}.jsonl.reset.2026-11-20T21-36-56.784Z").write_text(text)
    return tmp_path


def open_tab(page: Page, url: str) -> None:
    page.goto(f"{url}/sessions/?machine=yes")
    page.locator("[data-open]").first.click()
    page.locator("#tab-transcript").click()
    expect(page.locator("#tab-transcript")).to_have_attribute("aria-current", "page")


def read_and_page(page: Page, url: str) -> None:
    open_tab(page, url)
    page.locator("#transcript-read button").click()
    expect(page.locator(".transcript-line")).to_have_count(50)
    expect(page.locator("#last-line")).to_contain_text("Tool result")
    page.locator("#go-older").click()
    expect(page).to_have_url(re.compile(r"/transcript/\?before=\d+$"))
    expect(page.locator(".transcript-line").first).to_contain_text("Header")
    page.locator("#go-newest").click()
    expect(page.locator("#last-line")).to_contain_text("Tool result")
    page.locator("#go-all").click()
    expect(page).to_have_url(re.compile(r"\?lines=all$"))
    expect(page.locator("#last-line")).to_contain_text("Damaged line, not shown")
    assert page.title() != "broken"
    assert page.evaluate("window.broken") is None


def test_an_operator_reads_page_by_page(
    page: Page, live_server: Any, bob: User, sign_in: SignIn, state: Path
) -> None:
    sign_in(page, bob)
    read_and_page(page, live_server.url)
    assert AuditEvent.objects.filter(action="transcript.read", outcome="done").count() == 4


def test_the_same_without_scripts(
    browser: Browser, live_server: Any, bob: User, sign_in: SignIn, state: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, bob)
    open_tab(page, live_server.url)
    page.locator("#transcript-read button").click()
    expect(page.locator(".transcript-line")).to_have_count(50)
    page.locator("#go-older").click()
    expect(page).to_have_url(re.compile(r"/transcript/\?before=\d+$"))
    expect(page.locator(".transcript-line").first).to_contain_text("Header")
    context.close()


def test_loading_the_address_again_asks_again(
    page: Page, live_server: Any, bob: User, sign_in: SignIn, state: Path
) -> None:
    sign_in(page, bob)
    open_tab(page, live_server.url)
    page.locator("#transcript-read button").click()
    page.locator("#go-older").click()
    expect(page).to_have_url(re.compile(r"before="))
    before = AuditEvent.objects.filter(action="transcript.read").count()
    page.goto(page.url)
    expect(page.locator("#go-read")).to_be_visible()
    expect(page.locator(".transcript-line")).to_have_count(0)
    assert AuditEvent.objects.filter(action="transcript.read").count() == before
    page.locator("#go-read").click()
    expect(page.locator(".transcript-line").first).to_contain_text("Header")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_no_page_of_it_has_a_violation(
    theme: str,
    screen: str,
    page: Page,
    live_server: Any,
    bob: User,
    sign_in: SignIn,
    state: Path,
) -> None:
    width, height = SIZES[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    sign_in(page, bob)
    open_tab(page, live_server.url)
    assert violations(page) == []
    page.locator("#transcript-read button").click()
    expect(page.locator(".transcript-line")).to_have_count(50)
    assert violations(page) == []
    page.locator("#go-all").click()
    expect(page.locator("#last-line")).to_contain_text("Damaged line")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(page.url)
    assert violations(page) == []
