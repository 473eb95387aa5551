"""From the list to a job that is done, by keyboard, in a console as people start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sessionstore.store import open_store
from tests.conftest import PASSWORD, REPOSITORY
from tests.dashboard.bulk.conftest import PREFIX, fill, key
from tests.dashboard.bulk.writers import Writers

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MAKE_BOB = (
    "from django.contrib.auth.models import User\n"
    "from dashboard.roles import assign_role\n"
    f"assign_role(User.objects.create_user('bob', password={PASSWORD!r}), 'operator')"
)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[str]:
    """The cast and a console of its own with its job runner, as people start it; its address."""
    fill(tmp_path / "state").close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **{n: v for n, v in os.environ.items() if not n.startswith(("SESSIONSTORE_", "DJANGO_"))},
        "SESSIONSTORE_DATA_DIR": str(tmp_path / "var"),
        "SESSIONSTORE_STATE_DIR": str(tmp_path / "state"),
        "SESSIONSTORE_PORT": str(port),
        "TMPDIR": str(tmp_path),
    }
    for command in (["migrate", "-v0"], ["shell", "-v0", "-c", MAKE_BOB]):
        arguments = [sys.executable, "manage.py", *command]
        subprocess.run(arguments, cwd=REPOSITORY, env=environment, check=True)
    with (tmp_path / "log").open("w") as log:
        serving = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=REPOSITORY,
            env=environment,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, tmp_path / "log")
        yield address
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(30)


def _wait_for(address: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/livez", timeout=5).close()
            return
        except urllib.error.URLError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of that name has the focus."""
    for _step in range(60):
        page.keyboard.press("Tab")
        said = page.evaluate("document.activeElement.textContent.trim()")
        if said == name or page.evaluate("document.activeElement.name") == name:
            return
    raise AssertionError(f"no way to {name} by Tab")


def test_by_keyboard_from_the_list_to_a_job_that_is_done_beside_writers(
    page: Page, console: str, tmp_path: Path
) -> None:
    store = open_store(tmp_path / "state" / "agents" / "main" / "sessions")
    page.goto(f"{console}/login/?next=/sessions/")
    page.keyboard.type("bob")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
    for pressed in "jjjxjx":
        page.keyboard.press(pressed)
    expect(page.locator(".bulk-count")).to_have_text("2 selected")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="2 sessions selected")).to_be_visible()
    tab_to(page, "Clear model override")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Whose overrides")).to_be_visible()
    tab_to(page, "origin")
    page.keyboard.press("ArrowUp")  # from "every override" round to the last: by a failover
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 of 2 sessions will go back to their agent's model.")).to_be_visible()
    writers = Writers(store)
    try:
        tab_to(page, "reason")
        page.keyboard.type("the provider is back")
        tab_to(page, "Clear the model override of 1 session")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Clear the model override")).to_be_visible()
        expect(page.get_by_text("Done", exact=True).first).to_be_visible(timeout=60_000)
    finally:
        wrote = writers.stop()
    entry = store.get(key("kim")) or {}
    assert "modelOverride" not in entry
    assert (store.get(key("wen")) or {})["modelOverride"] == "gpt-5.4"
    for name in (one.removeprefix(PREFIX) for one in store.keys()):  # noqa: SIM118
        now = store.get(key(name)) or {}
        counted = {writer: now.get(writer, 0) for writer in wrote}
        assert counted == {writer: wrote[writer].get(key(name), 0) for writer in wrote}
