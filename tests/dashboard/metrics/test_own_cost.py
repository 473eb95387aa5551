"""What the console costs is measured over all its processes, and keeps to its budget."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.test import Client

from dashboard.services import own_cost, own_files, pace
from dashboard.services.fleet import fleet
from dashboard.services.metrics_follow import Follower
from sessionstore.locks.identity import own_identity
from sessionstore.metrics import Histogram
from sessionstore.recording import flusher
from sessionstore.store import open_store
from tests.conftest import REPOSITORY
from tests.dashboard.metrics.reports import Scrape, append, group, process, window

pytestmark = pytest.mark.django_db

Scraper = Callable[[], Scrape]
Agents = Callable[..., list[Path]]
NOW = time.time_ns() // 1_000_000


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> own_cost.Ledger:
    """A ledger for this test alone, that nothing publishes but the test."""
    ledger = own_cost.Ledger()
    monkeypatch.setattr(own_cost, "_ledger", (os.getpid(), ledger))
    publish = own_cost.publish
    monkeypatch.setattr(own_cost, "publish", lambda one: publish(one) if one is ledger else None)
    return ledger


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch, mine: own_cost.Ledger) -> Callable[[], pace.Pace]:
    """Return a look at the pace, each a step after the one before."""
    controller = pace.Controller()
    monkeypatch.setattr(pace, "_controller", controller)

    def look() -> pace.Pace:
        controller._stepped_s = float("-inf")
        return pace.pace()

    return look


def spend(ledger: own_cost.Ledger, seconds: float, operation: str = "index") -> None:
    """As if reading had just taken so long."""
    now_s = time.monotonic()
    ledger._recent.append((now_s - seconds, now_s))
    ledger._scans.setdefault(operation, Histogram({})).add(int(seconds * 1e9))
    ledger._count += 1


def test_reading_stores_is_counted_by_what_is_read(
    agents: Agents, scrape: Scraper, mine: own_cost.Ledger
) -> None:
    agents("main")
    scrape()
    own_cost.publish(mine)
    seen = scrape()
    for operation in own_cost.OPERATIONS:
        count = seen("dashboard_scan_duration_seconds_count", operation=operation)
        assert count is not None
        assert count > 0, operation


def test_answers_to_live_parts_and_scrapes_are_counted(
    agents: Agents, scrape: Scraper, mine: own_cost.Ledger, viewer_client: Client
) -> None:
    agents("main")
    for ask in (
        scrape,
        lambda: viewer_client.get("/", headers={"HX-Request": "true", "X-Live": "1"}),
    ):
        ask()
        read_s = sum(one.total for one in mine.cost().scans.values()) / 1e9
        assert mine.recent_s() > read_s + 0.0005
        mine._recent.clear()
        mine._scans.clear()


def test_who_is_refused_slows_down_nobody(
    agents: Agents, mine: own_cost.Ledger, client: Client
) -> None:
    agents("main")
    for path in ("/", "/metrics"):
        assert client.get(path, headers={"X-Live": "1"}).status_code >= 300
    assert mine.recent_s() == 0


def test_a_page_that_somebody_opens_counts_by_what_it_reads_only(
    agents: Agents, mine: own_cost.Ledger, viewer_client: Client
) -> None:
    agents("main")
    assert viewer_client.get("/jobs/").status_code == 200
    read_s = sum(one.total for one in mine.cost().scans.values()) / 1e9
    assert mine.recent_s() <= read_s + 0.0001


def test_costs_of_other_processes_are_in_the_sum_and_stay_when_they_die(
    var: Path, scrape: Scraper, mine: own_cost.Ledger
) -> None:
    code = (
        "import django; django.setup()\n"
        "from dashboard.services import own_cost\n"
        "ledger = own_cost.ledger()\n"
        "for _ in range(7):\n"
        "    with ledger.measured('index'): pass\n"
        "own_cost.publish(ledger); print('published', flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "SESSIONSTORE_DATA_DIR": str(var),
    }
    other = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"published\n"
        assert scrape()("dashboard_scan_duration_seconds_count", operation="index") == 7
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate(timeout=20)
    assert scrape()("dashboard_scan_duration_seconds_count", operation="index") == 7
    own_cost._add_up_the_dead()
    own_cost._add_up_the_dead()
    assert scrape()("dashboard_scan_duration_seconds_count", operation="index") == 7
    assert [path.name for path in own_cost.folder().glob("*.cost")] == ["past.cost"]


def test_locks_that_the_console_holds_are_told_apart(
    agents: Agents, scrape: Scraper, mine: own_cost.Ledger
) -> None:
    [main] = agents("main")
    append(main, window(process(1), NOW - 5000, NOW, group([1])))
    own_cost.publish(mine)
    with open_store(main / "sessions.json") as store:
        for number in range(3):
            store.patch("agent:main:main", {"n": number})
    flusher.flush_all()
    Follower().finish()
    seen = scrape()
    assert seen("dashboard_lock_hold_seconds_count", operation="patch") == 3
    assert seen.total("lock_hold_seconds_count", operation="patch", agent="main") == 4


def test_a_kill_between_adding_and_removing_counts_nothing_twice(
    var: Path, monkeypatch: pytest.MonkeyPatch, mine: own_cost.Ledger
) -> None:
    spend(mine, 1)
    identity = own_identity()
    own_cost.publish(mine)
    dead = own_cost.folder() / f"{identity.host}-999999999-1.cost"
    cost = mine.cost()
    cost.pid, cost.start = 999_999_999, 1
    dead.write_bytes(msgspec.msgpack.encode(cost))

    def total() -> int:
        return sum(cost.scans["index"].count for _, cost in own_cost.costs() if cost.scans)

    assert total() == 2
    with monkeypatch.context() as killed:
        killed.setattr(own_files, "remove", lambda path: None)
        own_cost._add_up_the_dead()
    assert dead.exists()
    assert total() == 2
    own_cost._add_up_the_dead()
    assert not dead.exists()
    assert total() == 2


def test_a_reading_that_hangs_costs_as_long_as_it_hangs(mine: own_cost.Ledger) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def hang() -> None:
        with mine.measured("reads"):
            begun.set()
            go_on.wait(30)

    thread = threading.Thread(target=hang)
    thread.start()
    assert begun.wait(30)
    time.sleep(0.05)
    try:
        assert mine.recent_s() >= 0.05
    finally:
        go_on.set()
        thread.join(30)


def test_intervals_grow_while_over_the_budget_and_shrink_again(
    var: Path, settings: Any, mine: own_cost.Ledger, now: Callable[[], pace.Pace]
) -> None:
    settings.BUDGET_PERCENT = 5
    assert now().stretch == 1
    assert pace.interval_s(15) == 15
    spend(mine, 3)  # 10 % of the last 30 s
    assert now().stretch == pytest.approx(2, rel=0.05)
    assert now().is_backing_off
    assert pace.interval_s(15) > 30
    for _ in range(10):
        now()
    assert now().stretch == pace.MOST
    assert pace.interval_s(60) == pace.LONGEST_S
    mine._recent.clear()
    shrinking = [now().stretch for _ in range(12)]
    assert shrinking == sorted(shrinking, reverse=True)
    assert shrinking[-1] == 1
    assert pace.interval_s(15) == 15


def test_without_a_budget_nothing_backs_off(
    var: Path, settings: Any, mine: own_cost.Ledger, now: Callable[[], pace.Pace]
) -> None:
    settings.BUDGET_PERCENT = 0
    spend(mine, 29)
    assert now().stretch == 1


def test_the_factor_settles_where_the_share_is_within_the_budget() -> None:
    # Watching costs 20 % of a core at the usual pace, and less in proportion.
    stretch = 1.0
    for _ in range(50):
        stretch = pace.stepped(stretch, 20 / stretch, 5)
    assert 0.7 * 5 <= 20 / stretch <= 5


def test_a_slow_store_makes_live_pages_look_less_often_and_says_so(
    agents: Agents,
    viewer_client: Client,
    var: Path,
    settings: Any,
    mine: own_cost.Ledger,
    now: Callable[[], pace.Pace],
) -> None:
    agents("main", "work")
    settings.BUDGET_PERCENT = 5
    now()
    usual = viewer_client.get("/").content.decode()
    settings.PAGE_WAIT_S = 0.2
    [slow] = [reader for reader in fleet().scan().readers if reader.agent == "main"]
    go_on = threading.Event()
    hanging = slow._reads.submit(lambda: go_on.wait(30))
    try:
        time.sleep(2)
        now()
        slower = viewer_client.get("/").content.decode()
    finally:
        go_on.set()
        hanging.result(30)
    mine._recent.clear()
    for _ in range(12):
        now()
    settings.PAGE_WAIT_S = 30
    again = viewer_client.get("/").content.decode()
    assert triggers(usual) == triggers(again) == [15]
    # A page that took long looks every minute anyway, and then less often still.
    assert triggers(slower)[0] > 15
    assert "times less often" in slower
    assert "times less often" not in usual + again
    assert "of a budget of 5 %" in usual


def triggers(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'hx-trigger="every (\d+)s"', page)]


def test_every_live_part_has_its_interval_from_the_one_place() -> None:
    found = {
        path.name
        for path in (REPOSITORY / "templates").rglob("*.html")
        if re.search(r'hx-trigger="[^"%]*\bevery\b', path.read_text().replace("{% every", "{%"))
    }
    assert found == set()


def test_shared_readings_last_longer_while_backing_off(
    agents: Agents, var: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents("main")
    monkeypatch.setattr(pace, "stretch", lambda: 20.0)
    first = fleet().refreshed(max_age_s=1.0)
    time.sleep(1.2)
    assert fleet().refreshed(max_age_s=1.0).at_ms == first.at_ms
    assert fleet().refreshed().at_ms > first.at_ms
