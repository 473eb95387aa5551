"""Which of several entries of one key wins does not depend on the order of reading."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sessionstore.entries import etag
from sessionstore.migration.sources.gathering import Gathering
from sessionstore.paths import store_paths
from tests.sessionstore.migration.older_forms import KEY, NOW, dump, entry, put, write_l2
from tests.sessionstore.migration.reading import read, values

updated = st.one_of(
    st.sampled_from([NOW, NOW + 1, 0, -5, 1.5, "2026-01-01", None, True]),
    st.integers(NOW, NOW + 3),
)
offers = st.lists(
    st.tuples(
        updated,
        st.sampled_from(["sessions.json", "sessions.d", "sessions.d/entries"]),
        st.sampled_from([KEY, "Agent:main:MAIN", " agent:main:main"]),
        st.integers(1, 2),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=4,
)


def gathered(rows: list[tuple[object, str, str, int, int]]) -> Gathering:
    """Offer all of them, in this order."""
    gathering = Gathering(store_paths(Path("/nowhere")), 10_000)
    for at, source, spelt, mtime, value in rows:
        data = dump({"updatedAt": at, "v": value})
        gathering.offer(spelt, data, source=source, mtime_ns=mtime, path=source)
    return gathering


def rank(row: tuple[object, str, str, int, int]) -> tuple[float, int, str]:
    """The rule as it is written down."""
    at = row[0]
    number = int(at) if isinstance(at, int | float) and not isinstance(at, bool) else 0
    return (number, row[3], etag({"updatedAt": at, "v": row[4]}))


@given(offers)
def test_any_order_gives_the_same_winner_and_findings(
    rows: list[tuple[object, str, str, int, int]],
) -> None:
    first = gathered(rows)
    for order in itertools.permutations(rows):
        again = gathered(list(order))
        assert again.rows == first.rows
        assert again.settle() == first.settle()


@given(offers)
def test_the_winner_is_the_newest_then_the_newer_file_then_the_greater_etag(
    rows: list[tuple[object, str, str, int, int]],
) -> None:
    gathering = gathered(rows)
    best = max(rows, key=rank)
    assert json.loads(gathering.rows[KEY].data) == {"updatedAt": best[0], "v": best[4]}
    assert len(gathering.settle()) == len(rows) - 1


def test_the_newer_file_wins_between_equals(tmp_path: Path) -> None:
    home = tmp_path / "sessions"
    write_l2(home / "sessions.d", {KEY: entry("folder")})
    meta = home / "sessions.d" / "agent--main--main" / "meta.json"
    for newer, expected in ((1, "folder"), (3, "file")):
        put(home / "sessions.json", dump({KEY: entry("file")}), at_ns=newer * 10**9)
        put(meta, dump(entry("folder")), at_ns=2 * 10**9)
        assert values(read(home)) == {KEY: entry(expected)}
