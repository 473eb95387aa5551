"""Sums of windows: exact where they say so, bounded where not."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sessionstore.metrics import Group, Histogram, HotSession, Labels, Window, merge
from sessionstore.recording.merging import UNLISTED, clamp
from sessionstore.recording.records import (
    MOST_SESSIONS,
    MOST_WRITES,
    SESSIONS_BY_COUNT,
    VERSION,
    pack_frame,
    unpack_frames,
)
from tests.sessionstore.metrics.reporting import NOW, figures, window

KEYS = [f"agent:main:{number}" for number in range(60)]
UPDATES = st.lists(st.sampled_from(KEYS), min_size=1, max_size=300)


def space_saving(updates: list[str], room: int, listed: int) -> Window:
    """A window of a writer that has room for so many sessions, and lists some of them."""
    counts: dict[str, int] = {}
    over: dict[str, int] = {}
    for key in updates:
        if key not in counts and len(counts) == room:
            smallest = min(counts, key=counts.__getitem__)
            over[key] = counts[key] = counts.pop(smallest)
            over.pop(smallest, None)
        counts[key] = counts.get(key, 0) + 1
    first = sorted(counts, key=lambda key: -counts[key])[: max(listed, SESSIONS_BY_COUNT)]
    group = Group(Labels("patch", "written", "session", "directory"), len(updates))
    sessions = [HotSession(key, counts[key], over_count=over.get(key, 0)) for key in first]
    return Window(VERSION, NOW - 5, NOW - 5, NOW, [], [group], sessions)


def assert_bounds(total: Window, true: Counter[str]) -> None:
    listed = {session.key: session for session in total.sessions}
    for key, session in listed.items():
        assert session.count - session.over_count <= true[key] <= session.count
    for key in set(true) - set(listed):
        assert true[key] <= total.counters.get(UNLISTED, 0)


@given(
    st.lists(st.tuples(UPDATES, st.integers(16, 64), st.integers(16, 64)), min_size=1, max_size=5),
    st.integers(16, 64),
)
def test_counts_of_sessions_are_bounded_whoever_listed_them(
    parts: list[tuple[list[str], int, int]], most: int
) -> None:
    true = Counter(key for updates, _, _ in parts for key in updates)
    windows = [space_saving(*part) for part in parts]
    assert_bounds(merge(windows, sessions=most), true)
    # Sums of sums, as thinning makes them.
    first = merge(windows[:2], sessions=most)
    assert_bounds(merge([first, merge(windows[2:], sessions=most)], sessions=most), true)


def test_sums_of_complete_windows_are_exact() -> None:
    windows = [window(NOW, key=key, holds=[5, 7]) for key in KEYS * 2]
    total = merge(windows, sessions=64)
    assert {session.over_count for session in total.sessions} == {0}
    assert {(session.count, session.hold_ns) for session in total.sessions} == {(4, 24)}
    assert UNLISTED not in total.counters


def test_the_order_of_merging_does_not_matter() -> None:
    windows = [window(NOW + n, holds=[n, 2 * n], operation=f"o{n % 3}") for n in range(9)]
    whole = merge(windows)
    parts = merge([merge(windows[5:]), merge(windows[:5])])
    assert figures(whole) == figures(parts)
    assert (whole.from_ms, whole.until_ms) == (parts.from_ms, parts.until_ms)


def test_merging_changes_none_of_its_windows() -> None:
    windows = [window(NOW), window(NOW + 5)]
    before = [pack_frame(one) for one in windows]
    merge(windows)
    assert [pack_frame(one) for one in windows] == before


def test_the_slowest_and_the_latest_updates_are_kept() -> None:
    windows = [window(NOW + number) for number in range(500)]
    windows[3].writes[0].hold_ns = 10**10
    total = merge(windows, writes=20)
    assert 20 <= len(total.writes) <= 40
    assert {10**10} <= {one.hold_ns for one in total.writes}
    assert NOW + 498 in {one.at_ms for one in total.writes}


def test_sums_of_absurd_numbers_can_be_read_again() -> None:
    largest = (1 << 63) - 1
    one = window(NOW)
    one.groups[0].count = one.sessions[0].count = one.counters["dropped"] = largest
    one.reads["get"] = Histogram({5: largest}, largest, largest)
    total = clamp(merge([one, one, one]))
    ((_, again),) = unpack_frames(pack_frame(total))
    assert again.groups[0].count == largest
    assert again.reads["get"].counts[5] == largest


def test_sums_of_many_windows_stay_within_what_readers_accept() -> None:
    windows = [window(NOW, key=f"k{n}", operation=f"o{n}", pid=n) for n in range(3000)]
    for one in windows:
        one.counters = {f"c{one.sessions[0].key}": 1}
        one.reads = {f"r{one.sessions[0].key}": Histogram({1: 1}, 1, 1)}
    total = clamp(merge(windows))
    assert len(list(unpack_frames(pack_frame(total)))) == 1
    assert len(total.sessions) <= MOST_SESSIONS and len(total.writes) <= MOST_WRITES
