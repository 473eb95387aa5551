"""Totals never fall and count nothing twice: when reports age, processes die, collectors too."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.services import fleet as fleet_module
from dashboard.services.fleet import fleet
from dashboard.services.metrics_follow import Follower, add_up_stores
from dashboard.services.metrics_shapes import cumulative, last_buckets
from dashboard.services.metrics_totals import folder as totals_folder
from dashboard.services.metrics_words import BYTES, SECONDS
from sessionstore.metrics import Histogram, bucket_low
from sessionstore.recording.thinning import thin
from tests.conftest import REPOSITORY
from tests.dashboard.metrics.reports import (
    TOKEN,
    Scrape,
    append,
    group,
    histogram,
    process,
    window,
)

pytestmark = pytest.mark.django_db

Scraper = Callable[[], Scrape]
Agents = Callable[..., list[Path]]
NOW = time.time_ns() // 1_000_000
MERGED = f"merged.{NOW // 1000 - 3000}.{NOW // 1000 + 1}.{NOW // 1000}.1"
PATCHED = {"agent": "main", "operation": "patch", "scope": "session", "outcome": "acquired"}


def collect() -> None:
    """What the job runner does every few seconds, by a runner that has just started."""
    add_up_stores(fleet().scan().readers, thorough=True)


@pytest.fixture
def main(agents: Agents, scrape: Scraper) -> Path:
    """The folder of one store whose totals have begun."""
    [folder] = agents("main")
    collect()
    return folder


def test_every_series_is_there_from_zero(main: Path, scrape: Scraper) -> None:
    seen = scrape()
    assert seen("lock_wait_seconds_count", **PATCHED) == 0
    timeouts = {"agent": "main", "scope": "session", "operation": "put"}
    assert seen("lock_timeouts_total", **timeouts) == 0
    assert seen("lock_reclaims_total", agent="main", scope="store", reason="pid_reused") == 0
    assert seen("conflicts_total", agent="main", operation="update", resolution="merged") == 0
    phase = {"agent": "main", "layout": "directory", "phase": "serialize"}
    assert seen("write_phase_duration_seconds_count", **phase) == 0


def test_reports_of_several_processes_add_up_to_the_bucket(main: Path, scrape: Scraper) -> None:
    append(main, window(process(1), NOW - 5000, NOW, group([1.2, 30, 865_000], contended=2)))
    append(main, window(process(2), NOW - 5000, NOW, group([1.2])))
    append(main, window(process(3), NOW - 4000, NOW, group([10_000], outcome="timeout")))
    collect()
    seen = scrape()
    assert seen("lock_wait_seconds_count", **PATCHED) == 4
    assert seen("lock_wait_seconds_sum", **PATCHED) == pytest.approx(865.0324)
    edges = {"0.001": 0, "0.0025": 2, "0.025": 2, "0.05": 3, "600.0": 3, "1200.0": 4, "+Inf": 4}
    for edge, count in edges.items():
        assert seen("lock_wait_seconds_bucket", **PATCHED, le=edge) == count, edge
    assert seen("lock_contended_total", agent="main", scope="session", operation="patch") == 2
    assert seen("lock_acquisitions_total", **PATCHED) == 4
    assert seen("write_bytes_sum", agent="main", layout="directory", operation="patch") == 2800


def test_a_timeout_is_no_acquisition(main: Path, scrape: Scraper) -> None:
    append(main, window(process(1), NOW - 5000, NOW, group([10_000], outcome="timeout")))
    collect()
    seen = scrape()
    assert seen("lock_acquisitions_total", **PATCHED) == 0
    assert seen("lock_acquisitions_total", **{**PATCHED, "outcome": "timeout"}) == 1
    assert seen("lock_timeouts_total", agent="main", scope="session", operation="patch") == 1
    assert seen("lock_wait_seconds_sum", **{**PATCHED, "outcome": "timeout"}) == 10
    assert seen.total("lock_hold_seconds_count", agent="main") == 0


def test_what_was_counted_stays_when_reports_are_removed(main: Path, scrape: Scraper) -> None:
    path = append(main, window(process(1), NOW - 5000, NOW, group([1, 2, 3])))
    collect()
    path.unlink()
    collect()
    assert scrape()("lock_wait_seconds_count", **PATCHED) == 3


def test_what_was_counted_is_not_counted_again_when_reports_are_joined(
    main: Path, scrape: Scraper
) -> None:
    first = window(process(1), NOW - 9000, NOW - 5000, group([1, 2]))
    other = window(process(2), NOW - 8000, NOW - 4000, group([3]))
    paths = [append(main, first), append(main, other)]
    collect()
    joined = window([process(1), process(2)], NOW - 9000, NOW - 4000, group([1, 2, 3]))
    append(main, joined, name=MERGED)
    collect()  # while both are there
    for path in paths:
        path.unlink()
    collect()
    append(main, window(process(1), NOW - 5000, NOW, group([4])))
    collect()
    seen = scrape()
    assert seen("lock_wait_seconds_count", **PATCHED) == 4
    assert seen("collector_windows_missed_total", agent="main") == 0


def test_reports_that_were_joined_before_anybody_looked_are_counted(
    main: Path, scrape: Scraper
) -> None:
    two = [process(1), process(2)]
    append(main, window(two, NOW - 60_000, NOW - 55_000, group([1, 2])), name=MERGED)
    # The next one holds a report that began before the last one's end.
    append(main, window(two, NOW - 57_000, NOW - 50_000, group([3])), name=MERGED)
    collect()
    assert scrape()("lock_wait_seconds_count", **PATCHED) == 3


def test_a_joined_report_that_reaches_back_is_missed_and_said_so(
    main: Path, scrape: Scraper
) -> None:
    append(main, window(process(1), NOW - 605_000, NOW - 600_000, group([1, 2])))
    collect()
    ends = time.time_ns() // 1_000_000 + 1
    whole = window([process(1), process(2)], NOW - 900_000, ends, group([1, 2, 3, 4]))
    append(main, whole, name=MERGED)
    time.sleep(0.01)
    collect()
    seen = scrape()
    assert seen("lock_wait_seconds_count", **PATCHED) == 2
    assert seen("collector_windows_missed_total", agent="main") == 1


def test_a_collector_that_starts_again_goes_on_where_the_last_one_was(
    main: Path, scrape: Scraper
) -> None:
    append(main, window(process(1), NOW - 9000, NOW - 5000, group([1, 2])))
    collect()
    append(main, window(process(1), NOW - 5000, NOW, group([3])))
    fleet_module._current = None  # as a process that has just started
    collect()
    collect()
    assert scrape()("lock_wait_seconds_count", **PATCHED) == 3


def test_a_report_that_is_cut_counts_once_it_is_whole(main: Path, scrape: Scraper) -> None:
    path = append(main, window(process(1), NOW - 9000, NOW - 5000, group([1])))
    whole = append(main, window(process(1), NOW - 5000, NOW, group([2])), name="whole").read_bytes()
    with path.open("ab") as file:
        file.write(whole[:-7])
    (path.parent / "whole.windows").unlink()
    collect()
    assert scrape()("lock_wait_seconds_count", **PATCHED) == 1
    with path.open("ab") as file:
        file.write(whole[-7:])
    collect()
    assert scrape()("lock_wait_seconds_count", **PATCHED) == 2


def test_words_that_nobody_knows_share_one_series(main: Path, scrape: Scraper) -> None:
    odd = [
        group([1], operation=f"op{number}", outcome=f"o{number}", layout="<b>", scope="\n")
        for number in range(300)
    ]
    append(main, window(process(1), NOW - 5000, NOW, *odd))
    before = len(scrape().samples)
    collect()
    seen = scrape()
    acquired = {"agent": "main", "scope": "other", "operation": "other", "outcome": "acquired"}
    assert seen("lock_wait_seconds_count", **acquired) == 300
    assert len(seen.samples) - before < 150


def test_numbers_that_would_turn_a_counter_back_are_left_out(main: Path, scrape: Scraper) -> None:
    append(main, window(process(1), NOW - 5000, NOW, group([1, 2])))
    collect()
    bad = group([1])
    bad.series["wait"] = Histogram({3: -1}, -5, 0)
    append(main, window(process(2), NOW - 5000, NOW, bad), name="z")
    collect()
    assert scrape()("lock_wait_seconds_count", **PATCHED) == 2


def test_one_collector_at_a_time(main: Path, scrape: Scraper) -> None:
    first, second = Follower(), Follower()
    assert first.look()
    assert not second.look()
    first.finish()
    assert second.look()
    second.finish()


def test_the_time_of_the_last_sample_stands_still_while_nobody_collects(
    main: Path, scrape: Scraper
) -> None:
    follower = Follower()
    follower.finish()
    first = scrape()("collector_last_sample_timestamp_seconds", agent="main")
    assert first is not None
    assert scrape()("collector_last_sample_timestamp_seconds", agent="main") == first
    follower.finish()
    later = scrape()("collector_last_sample_timestamp_seconds", agent="main")
    assert later is not None
    assert later > first


# -- real processes ----------------------------------------------------------------------------

_WRITER = """
import os, sys, time
from pathlib import Path
from sessionstore.locks.identity import own_identity
from sessionstore.metrics import Process
from tests.dashboard.metrics.reports import append, group, window
folder, me = Path(sys.argv[1]), own_identity()
who = Process(me.host, me.pid, me.start, "writer")
at = time.time_ns() // 1_000_000
while True:
    append(folder, window(who, at, at + 1, group([1.0, 2.0])))
    print(2, flush=True)
    at += 1
    time.sleep(0.02)
"""


@pytest.fixture
def start(settings: Any, var: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a starter of processes that see this test's console; they end with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SESSIONSTORE_")}
        environment = {
            **clean,
            "PYTHONPATH": str(REPOSITORY),
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "SESSIONSTORE_DATA_DIR": str(var),
            "SESSIONSTORE_STATE_DIR": str(settings.STATE_DIR),
            "SESSIONSTORE_METRICS_TOKEN": TOKEN,
        }
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(child)
        return child

    yield start
    for child in running:
        child.kill()
        child.communicate(timeout=20)


def sampled_after(wanted: Path, moment_ns: int) -> None:
    """Wait until a collector has looked since that moment."""
    deadline = time.monotonic() + 60
    while not (wanted.exists() and wanted.stat().st_mtime_ns > moment_ns):
        assert time.monotonic() < deadline, "no collector has looked"
        time.sleep(0.05)


@pytest.mark.slow
def test_sums_are_exact_though_writers_and_collectors_are_killed(
    agents: Agents, var: Path, scrape: Scraper, start: Callable[..., subprocess.Popen[str]]
) -> None:
    [folder] = agents("main")
    subprocess_migrate = start("manage.py", "migrate", "-v0")
    assert subprocess_migrate.wait(60) == 0
    writers = [start("-c", _WRITER, str(folder)) for _ in range(3)]
    sampled = var / "metrics" / "sampled"
    last = 0.0
    for _ in range(3):
        collector = start("manage.py", "collect")
        sampled_after(sampled, time.time_ns())
        collector.send_signal(signal.SIGKILL)
        collector.wait(20)
        now = scrape().total("lock_wait_seconds_count", agent="main", operation="patch")
        assert now >= last
        last = now
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
    reported = sum(
        sum(int(line) for line in writer.communicate(timeout=20)[0].split()) for writer in writers
    )
    start("manage.py", "collect")
    sampled_after(sampled, time.time_ns())
    seen = scrape().total("lock_wait_seconds_count", agent="main", operation="patch")
    # A writer may be killed between its report and its word of it.
    assert reported <= seen <= reported + 2 * len(writers)
    assert last > 0


_UPDATER = """
import os, sys
from sessionstore.store import open_store
with open_store(sys.argv[1]) as store:
    for number in range(int(sys.argv[2])):
        # No two updates are the same: one that changes nothing writes nothing.
        store.patch(f"agent:main:s{number % 5}", {"n": [os.getpid(), number]})
"""
_ENDLESS = """
import sys
from sessionstore.store import open_store
with open_store(sys.argv[1]) as store:
    number = 0
    while True:
        number += 1
        store.patch(f"agent:main:s{number % 5}", {"n": number})
        print(number, flush=True)
"""


@pytest.mark.slow
def test_real_updates_of_processes_that_end_are_counted_to_the_last_one(
    main: Path, var: Path, scrape: Scraper, start: Callable[..., subprocess.Popen[str]]
) -> None:
    updaters = [start("-c", _UPDATER, str(main / "sessions.json"), "150") for _ in range(3)]
    assert [updater.wait(60) for updater in updaters] == [0, 0, 0]
    collect()
    seen = scrape()
    assert seen("lock_acquisitions_total", **PATCHED) == 450
    assert seen("lock_wait_seconds_count", **PATCHED) == 450
    assert seen("lock_hold_seconds_count", **{**PATCHED, "outcome": "released"}) == 450
    assert seen("write_bytes_count", agent="main", layout="directory", operation="patch") == 450
    # Thinned, by which the reports of all three become one, nothing is counted again.
    for hours in (1, 3):
        thin(main / ".sessionstore" / "sessions", now_ms=NOW + hours * 3_600_000)
        collect()
        assert scrape()("lock_acquisitions_total", **PATCHED) == 450
    # A collector that sees only what was thinned counts the same.
    shutil.rmtree(var / "metrics")
    collect()
    assert scrape()("lock_acquisitions_total", **PATCHED) == 450


@pytest.mark.slow
def test_of_a_process_that_is_killed_all_is_counted_up_to_its_last_report(
    main: Path, scrape: Scraper, start: Callable[..., subprocess.Popen[str]]
) -> None:
    updater = start("-c", _ENDLESS, str(main / "sessions.json"))
    assert updater.stdout is not None
    before, ends_s = 0, time.monotonic() + 14
    while time.monotonic() < ends_s:
        number = int(updater.stdout.readline())
        if time.monotonic() < ends_s - 8:
            before = number
    updater.send_signal(signal.SIGKILL)
    rest = updater.communicate(timeout=20)[0].split()
    done = int(rest[-1]) if rest and rest[-1] else number
    collect()
    counted = scrape()("lock_acquisitions_total", **PATCHED)
    assert counted is not None
    assert before <= counted <= done + 1


# -- edges -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("edges", "scale"), [(SECONDS, 1e9), (BYTES, 1.0)])
def test_an_edge_is_at_most_a_hundredth_off(edges: tuple[float, ...], scale: float) -> None:
    for edge, last in zip(edges, last_buckets(edges, scale), strict=True):
        stands_at = bucket_low(last + 1)
        assert abs(stands_at - edge * scale) / (edge * scale) <= 0.011, edge


def test_counts_under_edges_never_fall_from_one_edge_to_the_next() -> None:
    found = histogram(int(1.37**power) for power in range(90))
    counts = cumulative(found, SECONDS, 1e9)
    assert counts == sorted(counts)
    assert counts[-1] == 90


def test_totals_are_files_that_only_their_owner_reads(main: Path) -> None:
    collect()
    modes = {path.stat().st_mode & 0o777 for path in totals_folder().iterdir() if path.is_file()}
    assert modes == {0o600}
    assert totals_folder().stat().st_mode & 0o777 == 0o700
