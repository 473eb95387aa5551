"""Fixtures for all tests: people with roles, a copied state directory, a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from dashboard import audit_triggers
from dashboard.roles import Role, assign_role
from sessionstore import demo

# Playwright's synchronous interface keeps an event loop in the test's thread.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES = REPOSITORY.parent / "shared" / "samples"
CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
PASSWORD = "correct horse battery staple"

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    print_blob=True,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("suite")

MakeUser = Callable[[str, Role | None], User]
SignIn = Callable[[Page, User], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip browser tests where there is no Chromium."""
    if os.access(CHROMIUM, os.X_OK):
        return
    skip = pytest.mark.skip(
        reason=f"no Chromium at {CHROMIUM}: apt-get install chromium, or set CHROMIUM"
    )
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Drop the audit's triggers: emptying the tables between tests is what they refuse.

    Tests of the triggers install them again for themselves.
    """
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        audit_triggers.remove(None, editor)


# --- People -----------------------------------------------------------------------------------


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """Return a maker of people with a role (or without one), all with ``PASSWORD``."""

    def make(name: str, role: Role | None) -> User:
        user = User.objects.create_user(name, password=PASSWORD)
        if role is not None:
            assign_role(user, role)
        return user

    return make


@pytest.fixture
def alice(make_user: MakeUser) -> User:
    """An admin."""
    return make_user("alice", "admin")


@pytest.fixture
def bob(make_user: MakeUser) -> User:
    """An operator."""
    return make_user("bob", "operator")


@pytest.fixture
def carol(make_user: MakeUser) -> User:
    """A viewer."""
    return make_user("carol", "viewer")


def client_for(user: User) -> Client:
    """Return a client that is signed in."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def admin_client(alice: User) -> Client:
    """A client signed in as the admin alice."""
    return client_for(alice)


@pytest.fixture
def operator_client(bob: User) -> Client:
    """A client signed in as the operator bob."""
    return client_for(bob)


@pytest.fixture
def viewer_client(carol: User) -> Client:
    """A client signed in as the viewer carol."""
    return client_for(carol)


# --- State directories -------------------------------------------------------------------------


@pytest.fixture(scope="session")
def samples() -> Path:
    """The sample state directories, read-only; the test is skipped where they are missing."""
    if not SAMPLES.is_dir():
        pytest.skip(f"no sample state directories at {SAMPLES}")
    return SAMPLES


@pytest.fixture
def copy_sample(samples: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a copier: sample name -> path of a writable copy."""

    def copy(name: str) -> Path:
        target = tmp_path / name
        shutil.copytree(samples / name, target)
        for path in [target, *target.rglob("*")]:
            path.chmod(0o700 if path.is_dir() else 0o600)
        return target

    return copy


@pytest.fixture
def state_dir(copy_sample: Callable[[str], Path], settings: Any) -> Path:
    """A writable copy of a sample that the console watches."""
    path = copy_sample("openclaw-2026.7.1-2")
    settings.STATE_DIR = path
    return path


@pytest.fixture(scope="session")
def demo_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small invented state directory; tests only read it."""
    path = tmp_path_factory.mktemp("demo") / "state"
    demo.build(path, sessions=60)
    return path


@pytest.fixture
def watched_demo(demo_state: Path, settings: Any) -> Path:
    """The invented state directory, watched by the console; for tests that only look."""
    settings.STATE_DIR = demo_state
    return demo_state


# --- Browser -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Launch the system's Chromium; nothing is downloaded."""
    return {
        **browser_type_launch_args,
        "executable_path": CHROMIUM,
        "args": ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    }


@pytest.fixture
def page(page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page whose test fails when a script fails or the script policy is violated.

    ``@pytest.mark.console_errors`` lifts that where a test provokes refused requests.
    """
    seen: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            seen.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: seen.append(str(error)))
    yield page
    if request.node.get_closest_marker("console_errors") is None:
        assert seen == []


@pytest.fixture
def sign_in(live_server: Any) -> SignIn:
    """Return a function that signs a person in on a page's browser context, by cookie."""

    def sign_in(page: Page, user: User) -> None:
        name = django_settings.SESSION_COOKIE_NAME
        context: BrowserContext = page.context
        value = client_for(user).cookies[name].value
        context.add_cookies([{"name": name, "value": value, "url": live_server.url}])

    return sign_in
