"""Looking at an index from outside: everything it would show, for comparing two of them."""

from __future__ import annotations

from typing import Any

from sessionstore.index import NO_KEY_PREFIX, Index, Query, Row
from sessionstore.paths import StorePaths

EVERYTHING = Query(machine=True, limit=1_000_000)


def content(row: Row) -> tuple[Any, ...]:
    """All that a row shows; the stamp of its file is not shown."""
    fields = [name for name in row.__struct_fields__ if name not in ("stamp", "traits")]
    traits = (row.kind, row.channel, row.status, row.flags, row.layout, row.machine)
    return (*(getattr(row, name) for name in fields), *traits)


def shown(index: Index) -> dict[str, Any]:
    """Rows, figures and findings of an index as it stands."""
    page = index.query(EVERYTHING)
    summary = index.summary()
    largest = summary.largest
    return {
        "rows": {row.key: content(row) for row in page.rows},
        "order": [row.key for row in page.rows],
        "people": [row.key for row in index.query(Query(limit=1_000_000)).rows],
        "facets": {name: dict(values) for name, values in page.facets.items()},
        "figures": (summary.sessions, summary.bytes, summary.machine_sessions, summary.problems),
        "largest": None if largest is None else largest.size_bytes,
        "problems": sorted((f.rule, f.key or "", f.path or "") for f in index.problems()),
        "found": sorted(row.key for row in index.query(Query(text="a", limit=10**6)).rows),
    }


def fresh(paths: StorePaths, **options: Any) -> dict[str, Any]:
    """What a new index shows that reads everything."""
    index = Index(paths, use_snapshot=False, watch="stat", **options)
    index.refresh()
    try:
        return shown(index)
    finally:
        index.close()


def keys(index: Index, query: Query = EVERYTHING) -> list[str]:
    """Keys of a page, files without a key left out."""
    rows = index.query(query).rows
    return [row.key for row in rows if not row.key.startswith(NO_KEY_PREFIX)]
