"""Jobs in a real browser: progress without a reload, its end announced, and without scripts too."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.db import connections
from playwright.sync_api import Page, expect

from dashboard.acting import Actor
from dashboard.jobs import claiming, life, queue
from dashboard.jobs.kinds import KINDS, ItemResult, Kind
from dashboard.jobs.runner import Runner
from dashboard.models import Job, JobItem
from dashboard.services.fleet import fleet
from sessionstore.store import open_store
from tests.browser.conftest import Visit
from tests.conftest import SignIn

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ITEMS = 8
KIND = "test.browser"


class Work:
    """A kind of job that waits before each item until it may go on."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)

    def __call__(self, job: Job, item: JobItem, actor: Actor) -> ItemResult:
        assert self.may.acquire(timeout=60)
        if item.position == 2:
            return ItemResult("failed", "The lock of this session is held.")
        return ItemResult("done", "It is done.")

    def let(self, items: int) -> None:
        self.may.release(items)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setitem(KINDS, KIND, Kind(KIND, "operator", work, title="Test"))
    return work


@pytest.fixture
def runner(work: Work) -> Iterator[None]:
    """A runner in a thread of this process, with connections of its own."""
    runner = Runner()

    def run() -> None:
        try:
            runner.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    runner.stop()
    work.let(100)
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def job(bob: User, work: Work, tmp_path: Path, settings: Any) -> Job:
    """A job that bob asked for, on real sessions."""
    with open_store(tmp_path / "state" / "agents" / "main" / "sessions") as store:
        keys = [f"agent:main:telegram:direct:{number}" for number in range(ITEMS)]
        for key in keys:
            store.put(key, {"sessionId": key[-1], "label": f"Person {key[-1]}"})
    settings.STATE_DIR = tmp_path / "state"
    [reader] = fleet().scan().readers
    return queue.ask(
        Actor(bob.pk, "bob", "operator", request_id="r"),
        kind=KIND,
        title=f"Archive {ITEMS} sessions",
        items=[(reader.id, key, {}) for key in keys],
        reason="Spring cleaning",
    )


@pytest.fixture
def page(page: Page, bob: User, sign_in: SignIn) -> Page:
    """The browser of the operator bob."""
    sign_in(page, bob)
    return page


@pytest.mark.usefixtures("runner")
def test_a_job_goes_to_its_end_before_ones_eyes(
    page: Page, live_server: Any, job: Job, work: Work
) -> None:
    page.goto(f"{live_server.url}/jobs/{job.pk}/")
    page.evaluate("window.stayed = true")
    expect(page.locator("#job-state")).to_have_text("Running")
    said = page.locator("#said")
    work.let(4)
    expect(page.locator(".job-progress-text")).to_have_text(f"4 of {ITEMS}", timeout=15_000)
    expect(page.locator("#item-3")).to_contain_text("The lock of this session is held.")
    expect(said).to_have_text(f"Running: 4 of {ITEMS} have a result.")
    expect(page.locator("#job-cancel")).to_have_text("Cancel after this item")
    work.let(4)
    expect(page.locator("#job-state")).to_have_text("Done in part", timeout=15_000)
    expect(said).to_have_text(f"Finished: {ITEMS - 1} done, 1 failed.")
    expect(page.locator("#job-retry")).to_be_visible()
    expect(page.locator("#job-cancel")).to_have_count(0)
    expect(page.locator("[data-live]")).to_have_count(0)
    assert page.evaluate("window.stayed") is True
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(4_500)
    assert asked == []


@pytest.mark.usefixtures("runner")
def test_the_buttons_pause_resume_and_cancel(
    page: Page, live_server: Any, job: Job, work: Work
) -> None:
    page.goto(f"{live_server.url}/jobs/{job.pk}/")
    expect(page.locator("#job-state")).to_have_text("Running")
    page.locator("#job-pause").click()
    expect(page.locator("#messages")).to_contain_text(
        "The job is paused; an item at hand is finished first."
    )
    expect(page.locator("#job-state")).to_have_text("Running, pauses after this item")
    work.let(1)
    expect(page.locator("#job-state")).to_have_text("Paused", timeout=15_000)
    page.locator("#job-resume").click()
    expect(page.locator("#job-state")).to_have_text("Running", timeout=25_000)
    page.locator("#job-cancel").click()
    work.let(1)
    expect(page.locator("#job-state")).to_have_text("Cancelled", timeout=15_000)
    expect(page.locator(".verdict-text")).to_have_text("Cancelled: 2 done, 6 not run.")


@pytest.mark.usefixtures("runner")
def test_the_list_follows_and_its_filters_stay(
    page: Page, live_server: Any, job: Job, work: Work
) -> None:
    page.goto(f"{live_server.url}/jobs/")
    page.evaluate("window.stayed = true")
    page.locator("#filter-person").select_option("bob")
    page.wait_for_url("**person=bob")
    page.locator("#filter-person").focus()
    work.let(2)
    row = page.locator(f"#job-{job.pk}")
    expect(row).to_contain_text(f"2 of {ITEMS}", timeout=15_000)
    expect(page.locator("#filter-person")).to_be_focused()
    expect(page.locator("#filter-person")).to_have_value("bob")
    work.let(6)
    expect(row).to_contain_text("done in part", timeout=15_000)
    page.locator("#tab-done").click()
    page.wait_for_url("**state=done**")
    assert page.evaluate("window.stayed") is True
    page.reload()
    expect(page.locator("#tab-done")).to_have_attribute("aria-current", "page")


@pytest.mark.usefixtures("runner")
def test_a_focused_button_stays_focused_while_the_page_looks_again(
    page: Page, live_server: Any, job: Job, work: Work
) -> None:
    page.goto(f"{live_server.url}/jobs/{job.pk}/")
    expect(page.locator("#job-state")).to_have_text("Running")
    page.locator("#job-cancel").focus()
    work.let(1)
    expect(page.locator(".job-progress-text")).to_have_text(f"1 of {ITEMS}", timeout=15_000)
    expect(page.locator("#job-cancel")).to_be_focused()


@pytest.mark.usefixtures("runner")
def test_everything_works_without_scripts_by_reloading(
    plain_page: Page, live_server: Any, job: Job, work: Work, bob: User, sign_in: SignIn
) -> None:
    sign_in(plain_page, bob)
    plain_page.goto(f"{live_server.url}/jobs/")
    plain_page.get_by_role("link", name=f"Archive {ITEMS} sessions").click()
    expect(plain_page.locator("#job-state")).to_have_text("Running")
    assert plain_page.locator(".needs-script:visible").count() == 0
    work.let(ITEMS)
    deadline = time.monotonic() + 20
    while plain_page.locator("#job-state").inner_text() == "Running":
        assert time.monotonic() < deadline
        plain_page.locator("#live-refresh").click()
    expect(plain_page.locator("#job-state")).to_have_text("Done in part")
    plain_page.locator("#tab-failed").click()
    expect(plain_page.locator("[data-row]")).to_have_count(1)
    plain_page.locator("#job-retry").click()
    expect(plain_page.locator("#messages")).to_contain_text("What failed is tried again.")


@pytest.mark.usefixtures("runner")
def test_the_keyboard_reaches_everything(
    page: Page, live_server: Any, job: Job, work: Work
) -> None:
    page.goto(f"{live_server.url}/jobs/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"Archive {ITEMS} sessions")
    page.locator("#job-cancel").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#job-state")).to_have_text("Running, ends after this item")
    work.let(1)
    expect(page.locator("#job-state")).to_have_text("Cancelled", timeout=15_000)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desktop", "phone"])
def test_no_state_of_a_job_has_a_violation(
    theme: Any, size: tuple[int, int], page: Page, live_server: Any, job: Job, bob: User
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=theme)
    found = {}

    def check(state: str) -> None:
        for path in ("/jobs/", f"/jobs/{job.pk}/", "/jobs/?state=failed"):
            page.goto(f"{live_server.url}{path}")
            violations = Axe().run(page).response["violations"]
            if violations:
                found[f"{state} {path}"] = [(v["id"], v["nodes"][0]["html"]) for v in violations]
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

    check("waiting, no runner")
    life.begin("runner")
    claiming.claim("runner")
    JobItem.objects.filter(position=0).update(state="done", message="It is done.")
    JobItem.objects.filter(position=1).update(state="failed", message="It is locked.")
    Job.objects.update(done=1, failed=1, current="agent:main:telegram:direct:2")
    check("running")
    Job.objects.update(lease_until=job.created_at)
    check("stalled")
    Job.objects.update(state="done", finished_at=job.created_at, outcome="Finished.")
    check("done")
    Job.objects.all().delete()
    page.goto(f"{live_server.url}/jobs/")
    assert Axe().run(page).response["violations"] == []
    assert found == {}


def test_a_viewer_looks_and_has_no_buttons(visit: Visit, job: Job) -> None:
    page = visit(f"/jobs/{job.pk}/")
    expect(page.locator("#job-state")).to_have_text("Waiting")
    expect(page.locator("#job-actions button")).to_have_count(0)
