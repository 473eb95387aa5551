"""Pages: filters, sorts, facets and counts, the same as a plain loop over the rows gives."""

from __future__ import annotations

import random
import time
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from sessionstore import open_store
from sessionstore.demo import fill
from sessionstore.index import SORTS, Index, Page, Query, Row
from sessionstore.paths import StorePaths, store_paths
from tests.sessionstore.helpers import NOW, entry
from tests.sessionstore.index.conftest import MakeIndex
from tests.sessionstore.index.looks import EVERYTHING

SORT_VALUES: dict[str, Any] = {
    "updated": lambda row: row.updated_at_ms,
    "key": lambda row: row.key,
    "name": lambda row: row.name.lower() or None,
    "kind": lambda row: row.kind,
    "channel": lambda row: row.channel or None,
    "status": lambda row: row.status or None,
    "model": lambda row: row.model or None,
    "size": lambda row: row.size_bytes,
    "tokens": lambda row: row.total_tokens,
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index of 1,500 invented sessions, some damaged."""
    path = tmp_path_factory.mktemp("query") / "sessions.json"
    fill(path, 1500, now_ms=NOW)
    paths = store_paths(path)
    for file in sorted(paths.directory.glob("*.json"))[::100]:
        file.write_bytes(b"{")
    made = Index(paths)
    made.refresh()
    return made


@pytest.fixture(scope="module")
def rows(index: Index) -> list[Row]:
    """All its rows."""
    return list(index.query(EVERYTHING).rows)


def passes(row: Row, query: Query, *, leave_out: str = "") -> bool:
    """The meaning of a query, row by row."""
    text = "\x1f".join((row.key, row.name, row.session_id or "", row.words)).lower()
    checks = {
        "text": all(word in text for word in query.text.lower().split()),
        "pattern": fnmatchcase(row.key.lower(), query.key_pattern.lower() or "*"),
        "kind": row.kind in query.kinds if query.kinds else query.machine or not row.machine,
        "channel": not query.channels or row.channel in query.channels,
        "status": not query.statuses or row.status in query.statuses,
        "flag": not query.flags or not query.flags.isdisjoint(row.flags),
        "overrides": query.overrides is None or bool(row.overrides) is query.overrides,
        "damaged": query.damaged is None or (row.problem is not None) is query.damaged,
        "after": query.updated_after_ms is None
        or (row.updated_at_ms is not None and row.updated_at_ms >= query.updated_after_ms),
        "before": query.updated_before_ms is None
        or (row.updated_at_ms is not None and row.updated_at_ms < query.updated_before_ms),
        "bytes": query.min_bytes is None or row.size_bytes >= query.min_bytes,
    }
    return all(passed for name, passed in checks.items() if name != leave_out)


def expected(rows: list[Row], query: Query) -> dict[str, Any]:
    """What a page must say, computed the slow and obvious way."""
    value = SORT_VALUES[query.sort]
    found = [row for row in rows if passes(row, query)]
    present = [row for row in found if value(row) is not None]
    present.sort(key=lambda row: (value(row), row.key), reverse=query.descending)
    missing = sorted((row for row in found if value(row) is None), key=lambda row: row.key)
    facets = {}
    for facet in ("kind", "channel", "status", "flag"):
        counted: Counter[str] = Counter()
        for row in rows:
            if passes(row, query, leave_out=facet):
                counted.update(row.flags if facet == "flag" else [getattr(row, facet)])
        del counted[""]
        facets[facet] = dict(counted)
    hidden = sum(row.machine and passes(row, query, leave_out="kind") for row in rows)
    return {
        "rows": [row.key for row in present + missing][query.offset : query.offset + query.limit],
        "matched": len(found),
        "total": len(rows),
        "hidden": 0 if query.machine or query.kinds else hidden,
        "facets": facets,
    }


def said(page: Page) -> dict[str, Any]:
    return {
        "rows": [row.key for row in page.rows],
        "matched": page.matched,
        "total": page.total,
        "hidden": page.hidden_machine,
        "facets": {name: dict(values) for name, values in page.facets.items()},
    }


QUERIES = [
    Query(),
    Query(machine=True),
    Query(offset=40, limit=10),
    Query(offset=10_000),
    Query(limit=0),
    Query(text="ada"),
    Query(text="  TELEGRAM direct  "),
    Query(text="agent"),
    Query(text="no such words anywhere"),
    Query(text="yıldız", machine=True),
    Query(text="\x1f \n"),
    Query(key_pattern="agent:main:telegram:*"),
    Query(key_pattern="*:TOPIC:?", machine=True),
    Query(key_pattern="agent.*"),
    Query(key_pattern="***********************************b"),
    Query(kinds=frozenset(["cron", "direct"])),
    Query(kinds=frozenset(["cron-run"]), statuses=frozenset(["failed", "running"])),
    Query(channels=frozenset(["slack"])),
    Query(channels=frozenset(["no such channel"])),
    Query(statuses=frozenset(["done"]), machine=True),
    Query(flags=frozenset(["pinned", "archived"])),
    Query(overrides=True),
    Query(overrides=False, text="a"),
    Query(damaged=True, machine=True),
    Query(damaged=False),
    Query(updated_after_ms=NOW - 86_400_000),
    Query(updated_before_ms=NOW - 86_400_000, machine=True),
    Query(updated_after_ms=NOW - 10**9, updated_before_ms=NOW - 10**8, text="telegram"),
    Query(min_bytes=700, sort="size"),
    Query(min_bytes=700, sort="size", descending=False, offset=3),
]


@pytest.mark.parametrize("query", QUERIES)
def test_page_is_what_a_plain_loop_gives(index: Index, rows: list[Row], query: Query) -> None:
    assert said(index.query(query)) == expected(rows, query)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("text", ["", "a", "lisbon"])
def test_every_sort_is_total_and_stable(
    index: Index, rows: list[Row], sort: str, descending: bool, text: str
) -> None:
    whole = Query(sort=sort, descending=descending, text=text, limit=10_000)
    assert said(index.query(whole)) == expected(rows, whole)
    paged: list[str] = []
    for offset in range(0, index.query(whole).matched, 77):
        query = Query(sort=sort, descending=descending, text=text, offset=offset, limit=77)
        paged += [row.key for row in index.query(query).rows]
    assert paged == [row.key for row in index.query(whole).rows]


def test_random_queries_during_changes_equal_a_plain_loop(
    store_file: Path, make_index: MakeIndex
) -> None:
    fill(store_file, 300, now_ms=NOW)
    index = make_index()
    dice = random.Random(3)
    with open_store(store_file) as store:
        known = store.keys()
        for turn in range(150):
            key = dice.choice(known)
            if dice.random() < 0.2:
                store.delete(key)
            else:
                store.put(key, entry(label=f"turn {turn}", updatedAt=NOW + dice.randrange(9)))
            index.refresh()
            query = Query(
                text=dice.choice(["", "turn", "ada", f"turn {turn}"]),
                sort=dice.choice(SORTS),
                descending=dice.random() < 0.5,
                machine=dice.random() < 0.5,
                limit=1000,
            )
            rows = list(index.query(EVERYTHING).rows)
            assert said(index.query(query)) == expected(rows, query)


def test_filter_by_kind_shows_hidden_kinds_when_named(index: Index) -> None:
    page = index.query(Query(kinds=frozenset(["cron-run"])))
    assert page.matched > 0
    assert page.hidden_machine == 0


def test_page_does_not_change_with_the_index(store_file: Path, make_index: MakeIndex) -> None:
    with open_store(store_file) as store:
        store.put("agent:main:main", entry())
        index = make_index()
        page = index.query(Query())
        store.put("agent:main:direct:2", entry())
        index.refresh()
    assert (page.matched, len(page.rows), dict(page.facets["kind"])) == (1, 1, {"main": 1})
    assert index.version > page.version


@pytest.mark.parametrize(
    "wrong", [{"sort": "colour"}, {"kinds": frozenset(["x"])}, {"offset": -1}, {"limit": -1}]
)
def test_impossible_query_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"sort|kind|offset"):
        Query(**wrong)


def test_summary_names_the_extremes(index: Index, rows: list[Row]) -> None:
    summary = index.summary()
    assert summary.sessions == len(rows)
    assert summary.bytes == sum(row.size_bytes for row in rows)
    assert summary.machine_sessions == sum(row.machine for row in rows)
    assert summary.problems == sum(row.problem is not None for row in rows)
    assert summary.largest is not None
    assert summary.largest.size_bytes == max(row.size_bytes for row in rows)
    assert summary.newest is not None
    assert summary.newest.updated_at_ms == max(row.updated_at_ms or 0 for row in rows)


def test_hostile_variety_keeps_facets_bounded(store_file: Path, make_index: MakeIndex) -> None:
    with open_store(store_file) as store:
        for number in range(300):
            store.put(f"agent:main:p{number}", entry(status=f"status {number}", channel="x" * 999))
    page = make_index().query(Query())
    assert len(page.facets["status"]) == 100
    assert all(len(name) <= 40 for name in page.facets["channel"])


def test_readers_and_refreshes_share_an_index(store_file: Path, paths: StorePaths) -> None:
    from concurrent.futures import ThreadPoolExecutor

    fill(store_file, 500)
    index = Index(paths)
    index.refresh()
    until = time.monotonic() + 1.5

    def read(number: int) -> int:
        pages = 0
        while time.monotonic() < until:
            index.refresh()
            page = index.query(Query(text=["", "a", "telegram"][number % 3], sort=SORTS[number]))
            assert len(page.rows) <= page.matched <= page.total
            pages += 1
        return pages

    def write() -> None:
        with open_store(store_file) as store:
            keys = store.keys()
            number = 0
            while time.monotonic() < until:
                store.patch(keys[number % len(keys)], {"label": f"label {number}"})
                number += 1

    with ThreadPoolExecutor(6) as threads:
        writing = threads.submit(write)
        assert all(count > 0 for count in threads.map(read, range(5)))
        writing.result()
    index.close()
