"""A signed-in viewer in a real browser, and the demo to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, BrowserContext, Page

from sessionstore import demo
from tests.conftest import SignIn
from tests.dashboard.pages.hostile import build_hostile

Visit = Callable[[str], Page]


@pytest.fixture(scope="session")
def demo_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo of 400 sessions; tests only read it."""
    path = tmp_path_factory.mktemp("demo") / "state"
    demo.build(path, sessions=400)
    return path


@pytest.fixture
def hostile_state(tmp_path: Path, settings: Any) -> Path:
    """The hostile store, watched."""
    path = tmp_path / "hostile"
    build_hostile(path)
    settings.STATE_DIR = path
    return path


@pytest.fixture
def watching_demo(demo_state: Path, settings: Any) -> Path:
    """The demo, watched."""
    settings.STATE_DIR = demo_state
    return demo_state


@pytest.fixture
def visit(page: Page, live_server: Any, carol: User, sign_in: SignIn) -> Visit:
    """Return a function that opens an address of the console as a viewer."""
    sign_in(page, carol)

    def visit(path: str) -> Page:
        page.goto(f"{live_server.url}{path}")
        return page

    return visit


@pytest.fixture
def plain_page(browser: Browser, live_server: Any, carol: User, sign_in: SignIn) -> Any:
    """A viewer's page in a browser that runs no scripts."""
    context: BrowserContext = browser.new_context(
        java_script_enabled=False, base_url=live_server.url
    )
    page = context.new_page()
    sign_in(page, carol)
    yield page
    context.close()
