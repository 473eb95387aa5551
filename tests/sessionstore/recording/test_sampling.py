"""Under load phases are those of some updates; what is estimated says so, wherever it goes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore import open_store, stats
from sessionstore.metrics import CHANGED, HOLD, WAIT, WRITE, WRITTEN, Group, Labels, merge
from sessionstore.recording import flusher
from sessionstore.recording.folding import thinned
from sessionstore.recording.merging import clamp
from sessionstore.recording.records import pack_frame, unpack_frames
from sessionstore.recording.scanning import scan
from sessionstore.recording.sketch import Sketch
from sessionstore.recording.tiers import HOUR
from tests.sessionstore.recording.reports import files_of, group, total, windows

A = "agent:main:a"
MANY = 5_000
FOREVER_MS = 4_000_000_000_000


@pytest.fixture(autouse=True)
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows are cut when the store is closed, however slow the machine is."""
    monkeypatch.setattr(flusher, "WINDOW_S", 600.0)


def write_many(store_file: Path, updates: int) -> None:
    with open_store(store_file) as store:
        store.put(A, {"note": "x" * 2_000})
        for number in range(updates):
            store.patch(A, {"n": number}, return_entry=False)


def test_many_updates_say_how_many_are_estimated(store_file: Path) -> None:
    write_many(store_file, MANY)
    found = group(store_file, "patch")
    assert MANY / 10 < found.estimated < MANY
    [session] = total(store_file).sessions
    assert (session.count, session.over_count) == (MANY + 1, 0)
    assert session.estimated == found.estimated


def test_few_updates_are_exact_and_say_so(store_file: Path) -> None:
    write_many(store_file, 300)
    assert group(store_file, "patch").estimated == 0
    assert [one.estimated for one in total(store_file).sessions] == [0]


def test_stats_are_not_exact_where_phases_are_estimated(store_file: Path) -> None:
    write_many(store_file, MANY)
    made = windows(store_file)
    with open_store(store_file) as store:
        found = stats(store, window=(made[0].covered_from_ms, made[-1].until_ms))
    assert found.gaps == ()
    assert not found.is_exact
    assert found.total.estimated == found.operations["patch"].estimated > 0
    assert found.operations["put"].estimated == 0


def test_what_is_no_phase_is_of_every_update(store_file: Path) -> None:
    write_many(store_file, MANY)
    found = group(store_file, "patch").series
    for name in (WAIT, HOLD, WRITE, WRITTEN, CHANGED, "queue", "lock", "sync"):
        assert found[name].count == MANY, name
    # The bytes of the fields that differ, not of the entry, also of updates not looked at.
    assert found[CHANGED].maximum < 100 < 2_000 < found[WRITTEN].maximum


def test_sums_and_thinning_keep_what_is_estimated(store_file: Path) -> None:
    write_many(store_file, MANY)
    estimated = group(store_file, "patch").estimated
    reports = [
        one
        for file in files_of(store_file)
        for one in scan(file.read_bytes(), latest_ms=FOREVER_MS).reports
    ]
    later_ms = reports[-1].until_ms + 30 * HOUR
    old = b"".join(thinned(reports, now_ms=later_ms))
    for made in (clamp(merge(windows(store_file))), merge(w for _, w in unpack_frames(old))):
        assert sum(each.estimated for each in made.groups) == estimated
        assert sum(one.estimated for one in made.sessions) == estimated


def test_reports_of_before_are_read_as_exact(store_file: Path) -> None:
    write_many(store_file, 3)
    [window] = windows(store_file)[:1]
    rows = msgspec.to_builtins(window)
    rows[5] = [row[:4] for row in rows[5]]
    rows[6] = [row[:7] for row in rows[6]]
    [(_, read)] = unpack_frames(pack_frame(rows))
    assert [one.count for one in read.groups] == [one.count for one in window.groups]
    assert {one.estimated for one in read.groups} == {0}
    assert {one.estimated for one in read.sessions} == {0}


@given(st.lists(st.integers(0, 4_000), min_size=1, max_size=30), st.integers(1, 4))
def test_counts_are_bounded_and_estimates_told_when_costs_are_of_some(
    starts: list[int], every: int
) -> None:
    sketch, true, looked_at = Sketch(), Counter[str](), Counter[str]()
    for number, start in enumerate(starts):
        batch = [f"k{(start + at * at) % 5_000}" for at in range(256)]
        sketch.add(batch)
        true.update(batch)
        if number % every == 0:
            sketch.add_costs(batch, [10] * 256, [1] * 256, every)
            looked_at.update(batch)
    for one in sketch.sessions():
        assert one.count - one.over_count <= true[one.key] <= one.count
        assert 0 <= one.estimated <= one.count - one.over_count
        if not one.over_count:
            assert one.estimated == true[one.key] - looked_at[one.key]
            assert one.written_bytes == every * looked_at[one.key]


def test_estimates_add_up_with_those_of_others() -> None:
    labels = Labels("patch", "written", "session", "directory")
    made = [Group(labels, 10, 0, {}, 4), Group(labels, 5)]
    parts = [msgspec.structs.replace(merge([]), groups=[one], until_ms=1) for one in made]
    assert merge(parts).groups == [Group(labels, 15, 0, {}, 4)]
