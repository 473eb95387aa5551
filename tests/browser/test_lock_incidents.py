"""For each scripted incident, what the pages say of it, in a real browser.

The incidents are made by real processes (tests/incidents_lab), a few seconds long. What the library
says of the same ones is in tests/incidents_lab/test_lab.py.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit
from tests.conftest import MakeUser, SignIn
from tests.incidents_lab.lab import FOREIGN_HOST, HOT_KEY, Lab, made_lab, results_of, slow_sync

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATIENCE_MS = 20_000


@pytest.fixture
def lab(tmp_path: Path, settings: Any) -> Iterator[Lab]:
    """A lab that the console watches."""
    settings.STATE_DIR = tmp_path / "state"
    settings.GATEWAY_LOCK_DIR = tmp_path
    with made_lab(settings.STATE_DIR) as lab:
        yield lab


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """The slow disk, compiled."""
    library = slow_sync(tmp_path)
    if library is None:
        pytest.skip("a slow disk needs Linux and a C compiler: apt-get install gcc libc6-dev")
    return library


def group_of(page: Page, text: str) -> Any:
    """The lock on the list whose row has this text."""
    return page.locator(".lock-group").filter(has_text=text)


def figure_of(page: Page, label: str) -> Any:
    """One figure of the Latency page, with its note."""
    return page.locator(".figure").filter(has=page.get_by_text(label, exact=True))


def look_at_latency(page: Page, visit: Visit, lab: Lab) -> None:
    """Open the Latency page until it has what was reported in the second that has just begun."""

    def has_reports() -> bool:
        visit("/latency/")
        timeouts = figure_of(page, "Timeouts")
        return timeouts.count() == 1 and "nobody" not in timeouts.inner_text()

    lab.until(has_reports, patience_s=15)


def saying(page: Page) -> str:
    """The sentence at the top of the Locks page."""
    return page.locator("#locks-verdict").inner_text()


# --- One holder over many waiters ----------------------------------------------------------------


def test_one_holder_over_many_is_on_the_locks_page_while_it_lasts(
    lab: Lab, page: Page, visit: Visit
) -> None:
    holder, others = lab.hold_over_waiters(waiters=40)
    lab.until(lambda: sum(len(one.waiters) for one in lab.locks()) == 40)
    visit("/locks/")
    assert re.match(r"1 lock is held, 40 calls wait, the longest for ", saying(page))
    group = group_of(page, "-1001234567890")
    expect(group).to_contain_text(f"process {holder.pid}")
    expect(group).to_contain_text(socket.gethostname())
    expect(group).to_contain_text("update")
    expect(group).to_contain_text("held, alive")
    expect(group).to_contain_text("40 wait, the longest for")
    expect(group).to_contain_text("Show all 40 who wait")
    group.locator("summary").click()
    expect(group).to_contain_text("The kernel confirms the lock.")
    group.locator(".row-link").click()
    expect(page.locator("body")).to_contain_text(f"kill {holder.pid}")
    expect(page.locator("#clear")).to_have_count(0)  # no form takes it from a living holder
    holder.let_go()
    assert {one["outcome"] for one in results_of(others)} == {"written"}


def test_the_locks_page_follows_by_itself_when_the_holder_lets_go(
    lab: Lab, page: Page, visit: Visit
) -> None:
    holder, others = lab.hold_over_waiters(waiters=8)
    visit("/locks/")
    expect(page.locator("#locks-verdict")).to_contain_text("1 lock is held")
    holder.let_go()
    expect(page.locator("#locks-verdict")).to_contain_text("No lock is held", timeout=PATIENCE_MS)
    assert holder.ended() == 0
    results_of(others)


def test_those_who_gave_up_are_told_after_it_is_over(lab: Lab, page: Page, visit: Visit) -> None:
    holder, others = lab.hold_over_waiters(waiters=40, limit_s=3)
    assert [one["outcome"] for one in results_of(others)] == ["timeout"] * 40
    holder.let_go()
    assert holder.ended() == 0
    visit("/locks/")
    assert saying(page).startswith("No lock is held.")
    numbers = page.locator(".verdict-text").first
    expect(numbers).to_contain_text(
        re.compile(r"In the last hour: 1 acquisition, longest wait 3\.\d s")
    )
    expect(numbers).to_contain_text("40 timeouts; exact, from 5 processes that report.")
    look_at_latency(page, visit, lab)
    expect(figure_of(page, "Timeouts")).to_contain_text("40")
    expect(figure_of(page, "Lock wait, p95")).to_contain_text(re.compile(r"≥ 3\.\d+ s"))
    expect(page.locator(".latency-source")).to_contain_text("exact")
    visit("/")
    check = page.locator(".check-row").filter(has_text=re.compile("gave up|timed out|timeout"))
    expect(check.first).to_contain_text("40")
    expect(check.first).to_have_attribute("data-state", "bad")


# --- A hot session -------------------------------------------------------------------------------


def test_a_hot_session_is_first_of_those_held_and_awaited_longest(
    lab: Lab, page: Page, browser: Browser, make_user: MakeUser, sign_in: SignIn, live_server: Any
) -> None:
    actors = lab.heat(processes=8, seconds=3)
    total = sum(actor.told()["updates"] for actor in actors)
    assert [actor.ended() for actor in actors] == [0] * 8
    sign_in(page, make_user("olga", "operator"))
    page.goto(f"{live_server.url}/incidents/new/?from=10min")
    page.locator("#mark-title").fill("One session is hot")
    page.locator("#mark-end").fill("")
    page.locator("#mark-go").click()
    row = page.get_by_role("region", name="Worst sessions").locator("tbody tr").first
    expect(row).to_contain_text(HOT_KEY)
    expect(row).to_contain_text(f"{total:,}")
    figures = page.get_by_role("region", name="Figures of the stores").locator("tbody tr").first
    expect(figures).to_contain_text("8 processes")
    expect(figures).to_contain_text(f"{total:,}")
    page.wait_for_timeout(1_100)  # its window ends with a whole second
    page.goto(f"{live_server.url}/latency/")
    for order in ("By time held", "By time waited"):
        top = page.locator(".top-list").filter(has_text=order)
        expect(top.locator(".top-row").first).to_contain_text("1001234567890")
    expect(figure_of(page, "Updates")).to_contain_text("had to wait")


# --- A slow disk ---------------------------------------------------------------------------------


def test_a_slow_disk_shows_as_slow_writes_without_any_wait(
    lab: Lab, shim: Path, page: Page, make_user: MakeUser, sign_in: SignIn, live_server: Any
) -> None:
    lab.write_to_slow_disk(shim, sync_ms=400, times=8)
    sign_in(page, make_user("olga", "operator"))
    page.goto(f"{live_server.url}/incidents/new/?from=10min")
    page.locator("#mark-title").fill("The disk is slow")
    page.locator("#mark-go").click()
    cells = page.get_by_role("region", name="Figures of the stores").locator("tbody tr td")
    texts = cells.all_inner_texts()
    assert re.search(r"\b4\d\d ms", texts[4]), texts  # write
    assert " s" not in texts[2], texts  # wait
    page.wait_for_timeout(1_100)  # the window of the page ends with a whole second
    page.goto(f"{live_server.url}/latency/?series=phases")
    page.locator(".chart-table summary").filter(has_text="Where the time goes").click()
    table = page.get_by_role("region", name="Where the time goes")
    heads = table.locator("thead th").all_inner_texts()
    sync = next(at for at, head in enumerate(heads) if "sync" in head.lower())
    row = table.locator("tbody tr").filter(has_text="%").last
    share = row.locator("td").nth(sync - 1).inner_text()
    assert float(share.removesuffix(" %")) > 80, (heads, share)


# --- A killed holder -----------------------------------------------------------------------------


def test_a_killed_holder_is_gone_from_the_page_and_nothing_is_left_to_clear(
    lab: Lab, page: Page, visit: Visit
) -> None:
    _holder, others = lab.killed_holder(waiters=3)
    results_of([others])
    visit("/locks/")
    assert saying(page) == "No lock is held."
    expect(page.locator(".lock-group")).to_have_count(0)


def test_the_lock_file_of_a_killed_program_can_be_cleared_with_a_reason(
    lab: Lab, page: Page, make_user: MakeUser, sign_in: SignIn, live_server: Any
) -> None:
    path = lab.lock_of_killed()
    sign_in(page, make_user("olga", "operator"))
    page.goto(f"{live_server.url}/locks/")
    group = group_of(page, "owner gone")
    expect(group).to_contain_text("transcript lock")
    group.locator(".row-link").click()
    expect(page.locator("body")).to_contain_text("does not run any more on this machine")
    understood = page.locator("#clear-understood")
    if understood.count():
        understood.check()
    page.locator("#clear-reason").fill("its gateway was killed")
    page.locator("#clear-go").click()
    expect(page.locator("h1")).to_have_text("Lock file removed")
    expect(page.locator("main")).to_contain_text("Verdict: owner gone.")
    assert not path.exists()


# --- A pid that was used again -------------------------------------------------------------------


def test_a_reused_number_is_told_with_the_two_starts(lab: Lab, page: Page, visit: Visit) -> None:
    _path, other = lab.lock_of_reused_pid()
    visit("/locks/")
    group = group_of(page, "pid reused")
    expect(group).to_contain_text(f"process {other.pid}")
    group.locator("summary").click()
    expect(group).to_contain_text("belongs to another program now")
    expect(group).to_contain_text(f"Process {other.pid} started")
    assert other.process.poll() is None


# --- A record of another machine -----------------------------------------------------------------


def test_a_record_of_another_machine_is_shown_and_nothing_is_offered_to_remove(
    lab: Lab, page: Page, visit: Visit
) -> None:
    path = lab.foreign_table(held_s=45)
    visit("/locks/")
    group = group_of(page, "other host, cannot check")
    expect(group).to_contain_text(FOREIGN_HOST)
    expect(group).to_contain_text("process 4242")
    group.locator(".row-link").click()
    expect(page.locator("body")).to_contain_text(f"Look on {FOREIGN_HOST} whether process 4242")
    expect(page.locator("#clear")).to_have_count(0)
    assert path.exists()


# --- The overview --------------------------------------------------------------------------------


def test_the_overview_says_who_holds_and_that_writers_wait(
    lab: Lab, page: Page, visit: Visit
) -> None:
    holder, others = lab.hold_over_waiters(waiters=8)
    lab.until(lambda: sum(len(one.waiters) for one in lab.locks()) == 8)
    visit("/")
    main = page.locator("main")
    expect(main).to_contain_text(re.compile(r"1 lock is held right now"))
    expect(main).to_contain_text(re.compile(r"8 (writers|calls) wait"))
    holder.let_go()
    results_of(others)
