"""Migrations in a real browser: the whole flow with runners killed in the middle, and every page
in both themes, on a phone, and without scripts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from dashboard.jobs import claiming, life
from dashboard.models import Job, JobItem
from sessionstore.store import open_store
from tests.browser.test_bulk_console import _wait_for
from tests.conftest import PASSWORD, REPOSITORY, SignIn
from tests.dashboard.migration.conftest import id_of, run_jobs, write_legacy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MORE = 8000
MAKE_ALICE = (
    "from django.contrib.auth.models import User\n"
    "from dashboard.roles import assign_role\n"
    f"assign_role(User.objects.create_user('alice', password={PASSWORD!r}), 'admin')"
)


class Served:
    """A console as people start it, over a copy of a sample whose main store was made large."""

    def __init__(self, state: Path, tmp_path: Path) -> None:
        self.folder = state / "agents" / "main" / "sessions"
        self.file = self.folder / "sessions.json"
        self.entries = json.loads(self.file.read_text())
        for number in range(MORE):
            key = f"agent:main:telegram:direct:{number:06}"
            self.entries[key] = {"sessionId": f"id-{number}", "updatedAt": 1_790_000_000_000}
        self.file.write_text(json.dumps(self.entries, ensure_ascii=False, indent=2))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = tmp_path / "log"
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("SESSIONSTORE_", "DJANGO_"))
            },
            "SESSIONSTORE_DATA_DIR": str(tmp_path / "var"),
            "SESSIONSTORE_STATE_DIR": str(state),
            "SESSIONSTORE_PORT": str(self.port),
            "TMPDIR": str(tmp_path),
        }
        for command in (["migrate", "-v0"], ["shell", "-v0", "-c", MAKE_ALICE]):
            arguments = [sys.executable, "manage.py", *command]
            subprocess.run(arguments, cwd=REPOSITORY, env=self.environment, check=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        _wait_for(self.address, self.log)

    def runners(self) -> list[int]:
        """The job runners that are running now."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [
            int(child)
            for child in children
            if b"jobs" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        ]

    def kill_runners_in_the_middle(self) -> None:
        """Wait until sessions are staged, and kill -9 every runner."""
        deadline = time.monotonic() + 60
        while not next(self.folder.glob(".sessionstore/*/runs/*/sessions.d/*50.json"), None):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.002)
        for pid in self.runners():
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture
def served(copy_sample: Callable[[str], Path], tmp_path: Path) -> Iterator[Served]:
    served = Served(copy_sample("openclaw-2026.7.1-2"), tmp_path)
    yield served
    served.stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_whole_flow_with_every_runner_killed_in_the_middle(page: Page, served: Served) -> None:
    page.goto(f"{served.address}/login/?next=/migration/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="main", exact=True).click()
    verdict = page.locator("#migration-verdict")
    expect(verdict).to_have_text("Not checked yet")
    page.locator("#migration-check").click()
    count = len(served.entries)
    expect(verdict).to_contain_text(f"Would move {count:,} sessions", timeout=60_000)
    expect(page.locator("#migrate-guard")).to_be_checked()
    page.locator("#migrate-reason").fill("Sessions wait for each other")
    page.locator("#migrate-understood").check()
    page.locator("#migrate-go").click()
    expect(verdict).to_contain_text("Migrate main")
    page.evaluate("window.stayed = true")
    served.kill_runners_in_the_middle()
    expect(page.locator(".job-part").first).to_be_visible(timeout=60_000)
    expect(verdict).to_contain_text(f"{count:,} sessions were moved", timeout=120_000)
    assert page.evaluate("window.stayed") is True
    expect(page.locator("#last-title")).to_be_visible()
    with open_store(served.file) as store:
        assert store.load() == served.entries
    [kept] = served.folder.glob("sessions.json.bak.*")
    assert json.loads(kept.read_text()) == served.entries
    assert not list(served.folder.glob(".sessionstore/*/runs/*/sessions.d"))
    page.locator("#last-job").click()
    expect(page.locator("#job-state")).to_have_text("Done")
    page.go_back()
    _undo(page, served)


def _undo(page: Page, served: Served) -> None:
    """Write something, and take the migration back with it."""
    with open_store(served.file) as store:
        store.put("agent:main:direct:since", {"sessionId": "since"})
    page.locator("#migration-undo").click()
    page.locator("#migration-check").click()
    expect(page.locator("#tab-1")).to_contain_text(f"{len(served.entries) + 1:,}", timeout=60_000)
    page.locator("#undo-reason").fill("Back to the old gateway")
    page.locator("#undo-name").fill("main")
    page.locator("#undo-go").click()
    expect(page.locator("#migration-verdict")).to_contain_text(
        "in sessions.json again", timeout=120_000
    )
    now = json.loads(served.file.read_text())
    assert now.keys() == {*served.entries, "agent:main:direct:since"}


# --- Every state, in both themes, large and small ------------------------------------------------


@pytest.fixture
def agents(tmp_path: Path, settings: Any) -> dict[str, str]:
    """Stores in several states; their ids by agent."""
    state = tmp_path / "state"
    evil = "<script>alert(1)</script>"
    write_legacy(state, "main", 150)
    write_legacy(state, "empty", {})
    write_legacy(
        state,
        "hostile",
        {f"agent:hostile:{evil}": {"sessionId": "1"}, "agent:hostile:" + "long" * 200: {}, "x": 5},
    )
    (state / "openclaw.json").write_text("{}")
    settings.STATE_DIR = state
    settings.GATEWAY_LOCK_DIR = tmp_path
    return {agent: id_of(agent) for agent in ("main", "empty", "hostile")}


@pytest.fixture
def page(page: Page, request: pytest.FixtureRequest) -> Page:
    """The browser of the admin alice, where the test is not about a console of its own."""
    if "served" not in request.fixturenames:
        sign_in: SignIn = request.getfixturevalue("sign_in")
        sign_in(page, request.getfixturevalue("alice"))
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desktop", "phone"])
def test_no_state_of_a_migration_has_a_violation(
    theme: Any, size: tuple[int, int], page: Page, live_server: Any, agents: dict[str, str]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=theme)
    found: dict[str, Any] = {}
    main = f"/stores/{agents['main']}/migration/"

    def check(state: str, *paths: str) -> None:
        for path in paths:
            page.goto(f"{live_server.url}{path}")
            violations = Axe().run(page).response["violations"]
            if violations:
                found[f"{state} {path}"] = [(v["id"], v["nodes"][0]["html"]) for v in violations]
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size[0], f"{state} {path} is {wide} wide"

    check("new", "/migration/", main)
    page.goto(f"{live_server.url}/migration/")
    page.locator("#check-all").click()
    run_jobs()
    others = [f"/stores/{agents[name]}/migration/" for name in ("empty", "hostile")]
    check("checked", "/migration/", main, *others)
    page.goto(f"{live_server.url}{main}")
    page.locator("#migrate-reason").fill("It is time")
    page.locator("#migrate-understood").check()
    page.locator("#migrate-guard").uncheck()
    page.locator("#migrate-go").click()
    life.begin("runner")
    claiming.claim("runner")
    JobItem.objects.filter(job=Job.objects.latest("pk")).update(
        in_flight=True, part_done=70, part_total=150, part_name="staging: agent:main:direct:000070"
    )
    check("running", "/migration/", main)
    Job.objects.filter(state="running").update(lease_until=Job.objects.latest("pk").created_at)
    run_jobs()
    check("done", "/migration/", main, f"{main}undo/")
    page.goto(f"{live_server.url}{main}undo/")
    page.locator("#migration-check").click()
    run_jobs()
    check("undoing", f"{main}undo/")
    assert found == {}


def test_everything_works_without_scripts(
    plain_page: Page,
    live_server: Any,
    agents: dict[str, str],
    alice: User,
    sign_in: SignIn,
) -> None:
    sign_in(plain_page, alice)
    plain_page.goto("/migration/")
    plain_page.get_by_role("link", name="main", exact=True).click()
    plain_page.locator("#migration-check").click()
    run_jobs()
    plain_page.locator("#migration-refresh").click()
    expect(plain_page.locator("#migration-verdict")).to_contain_text("Would move 150 sessions")
    plain_page.locator("#migrate-reason").fill("It is time")
    plain_page.locator("#migrate-go").click()
    expect(plain_page.locator("#understood-error")).to_be_visible()
    expect(plain_page.locator("#migrate-reason")).to_have_value("It is time")
    plain_page.locator("#migrate-understood").check()
    plain_page.locator("#migrate-go").click()
    expect(plain_page.locator("#open-job")).to_be_visible()
    run_jobs()
    plain_page.locator("#migration-refresh").click()
    expect(plain_page.locator("#migration-verdict")).to_contain_text("150 sessions were moved")
    assert plain_page.locator(".needs-script:visible").count() == 0
