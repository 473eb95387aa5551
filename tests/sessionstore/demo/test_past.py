"""The demo's invented past is read as any reports are, and looks like a gateway's days."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sessionstore import open_store
from sessionstore.demo import build
from sessionstore.demo.past import GAP_MS, HOST, ROUGH_AGO_MS
from sessionstore.metrics import WAIT, History, Step, Window, stats_of
from sessionstore.paths import StorePaths, store_paths
from sessionstore.recording.merging import UNLISTED
from sessionstore.recording.thinning import thin
from sessionstore.recording.tiers import HOUR, MINUTE, TIERS

STORES = ("main", "ops", "work")
NOW = time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo that nothing has run in."""
    path = tmp_path_factory.mktemp("demo") / "state"
    build(path, sessions=60, now_ms=NOW)
    return path


def paths_of(demo: Path, agent: str = "main") -> StorePaths:
    return store_paths(demo / "agents" / agent / "sessions" / "sessions.json")


def history_of(demo: Path, agent: str = "main") -> History:
    history = History(paths_of(demo, agent))
    history.refresh(now_ms=NOW)
    return history


def hourly(history: History) -> list[Step]:
    end_ms = NOW // HOUR * HOUR
    return history.steps(end_ms - 70 * HOUR, end_ms, HOUR)


def updates(window: Window) -> int:
    return sum(group.count for group in window.groups)


def timeouts(window: Window) -> int:
    return sum(group.count for group in window.groups if group.labels.outcome == "timeout")


@pytest.mark.parametrize("agent", STORES)
def test_every_report_is_sound_and_no_longer_than_its_age_allows(demo: Path, agent: str) -> None:
    history = history_of(demo, agent)
    assert history.refused == 0
    windows = history.between(0, NOW)
    assert windows[-1].until_ms > NOW - 30_000
    assert windows[0].from_ms < NOW - 71 * HOUR
    for window in windows:
        assert window.until_ms - window.from_ms <= history.resolution_ms(window.from_ms)
    assert {w.until_ms - w.from_ms for w in windows} == {step_ms for _, step_ms in TIERS}


@pytest.mark.parametrize("agent", STORES)
def test_nobody_was_there_for_two_hours(demo: Path, agent: str) -> None:
    history = history_of(demo, agent)
    [(start_ms, end_ms)] = history.gaps(NOW - 71 * HOUR, NOW - MINUTE)
    assert end_ms - start_ms == GAP_MS


@pytest.mark.parametrize("agent", STORES)
def test_one_hour_was_rough_and_no_other(demo: Path, agent: str) -> None:
    history = history_of(demo, agent)
    rough_ms = NOW - ROUGH_AGO_MS
    before = history.total(0, rough_ms - HOUR)
    rough = history.total(rough_ms - HOUR, rough_ms + 2 * HOUR)
    after = history.total(rough_ms + 2 * HOUR, NOW)
    assert timeouts(rough) > 3
    assert timeouts(before) == timeouts(after) == 0
    calm, bad = (
        stats_of(history, start_ms, start_ms + 30 * MINUTE).total.wait.p95
        for start_ms in (rough_ms + 5 * HOUR, rough_ms)
    )
    assert calm is not None
    assert bad is not None
    assert bad > 5 * calm
    assert max(group.series[WAIT].maximum for group in rough.groups) >= 5e9


def test_nights_are_calmer_than_days(demo: Path) -> None:
    counts = [updates(step.window) for step in hourly(history_of(demo)) if step.window]
    assert len(counts) > 60
    assert max(counts) > 5 * min(counts) > 0


@pytest.mark.parametrize("agent", STORES)
def test_reporters_are_plainly_invented_and_gone(demo: Path, agent: str) -> None:
    found = history_of(demo, agent).reporters()
    assert {one.host for one in found} == {HOST}
    assert all("invented" in one.program for one in found)
    assert {one.state for one in found} == {"dead"}


def test_sessions_that_cost_most_are_those_of_the_store_and_exact(demo: Path) -> None:
    total = history_of(demo).total(0, NOW)
    assert UNLISTED not in total.counters
    assert {session.over_count for session in total.sessions} == {0}
    assert sum(session.count for session in total.sessions) == updates(total)
    with open_store(paths_of(demo).store_path, report=False) as store:
        keys = set(store.keys())
    hot, *others = sorted(total.sessions, key=lambda session: -session.count)
    assert hot.key.endswith(":telegram:group:-1001234567890")
    assert {session.key for session in others} <= keys


def test_living_writers_and_tidying_add_to_it(tmp_path: Path) -> None:
    build(tmp_path / "state", sessions=60, now_ms=NOW)
    paths = paths_of(tmp_path / "state", "ops")
    before = updates(history_of(tmp_path / "state", "ops").total(0, NOW))
    with open_store(paths.store_path) as store:
        store.put("agent:ops:new", {"label": "new"})
    assert thin(paths.sidecar, now_ms=NOW + 2 * MINUTE) is not None
    history = History(paths)
    history.refresh()
    assert history.refused == 0
    assert updates(history.total(0, NOW + HOUR)) == before + 1
    assert {one.host == HOST for one in history.reporters()} == {True, False}
