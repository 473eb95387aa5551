"""Figures of stores themselves: file sizes, sessions marked running, disk, and list pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.index import Query

from .amounts import binary, duration
from .check_judging import Figure
from .page_times import list_times
from .readers import Reader
from .runs import PROOF_MS
from .stores import StoreRow
from .threshold_words import times
from .thresholds import FEWEST_SAMPLES, WINDOW_S

_MOST_RUNNING = 500


def store_figures(row: StoreRow, reader: Reader | None, now_ms: int) -> Iterator[Figure]:
    """What is known of one store's files and sessions."""
    if row.layout in ("legacy", "both") and row.files and row.files.legacy_bytes is not None:
        yield _index_size(row, row.files.legacy_bytes)
    yield _running(row, reader, now_ms)


def _index_size(row: StoreRow, size_bytes: int) -> Figure:
    if row.layout == "both":
        sentence = _("The single file beside the directory has %s; nobody reads it.")
        return Figure("index-size", row.id, row.name, sentence % binary(size_bytes), 0.0)
    sentence = _("The single store file has %s, and every write rewrites it.")
    return Figure("index-size", row.id, row.name, sentence % binary(size_bytes), float(size_bytes))


def _running(row: StoreRow, reader: Reader | None, now_ms: int) -> Figure:
    query = Query(
        statuses=frozenset({"running"}),
        machine=True,
        sort="updated",
        descending=False,
        limit=_MOST_RUNNING,
    )
    page = None if reader is None else reader.page(query)
    if page is None or row.locks is None:
        return Figure("running", row.id, row.name, _("The sessions are not read yet."))
    held = {lock.key for lock in row.held if lock.verdict == "alive"}
    ages = [
        now_ms - one.updated_at_ms
        for one in page.rows
        if one.updated_at_ms is not None and one.key not in held
    ]
    old = [age for age in ages if age >= PROOF_MS]
    stale = row.freshness.state != "live"
    if not old:
        sentence = _("No session is marked running without proof.")
        return Figure("running", row.id, row.name, sentence, 0.0, stale=stale)
    sentence = ngettext(
        "%(n)d session is marked running without proof, last written %(age)s ago.",
        "%(n)d sessions are marked running without proof, the oldest last written %(age)s ago.",
        len(old),
    ) % {"n": len(old), "age": duration(max(old))}
    return Figure("running", row.id, row.name, sentence, max(old) / 1000, stale=stale)


def disk_figure(rows: Sequence[StoreRow]) -> Iterator[Figure]:
    """The tightest disk against what all stores use; none where no disk could be looked at."""
    disks = [row.disk for row in rows if row.disk is not None]
    if not disks:
        return
    free = min(disk.free_bytes for disk in disks)
    size = sum(row.bytes or 0 for row in rows)
    values = {"free": binary(free), "size": binary(size)}
    if not size:
        sentence = _("%(free)s of disk are free; the stores hold nothing yet.") % values
        yield Figure("disk", "", "", sentence, 1e6)
        return
    values["times"] = times(free / size)
    sentence = _("%(free)s of disk are free for %(size)s of stores: %(times)s times as much.")
    yield Figure("disk", "", "", sentence % values, free / size)


def list_page_figure(now_ms: int) -> Figure:
    """How long the server took for lists of sessions in the last five minutes, in all processes."""
    times_s = sorted(list_times(now_ms - WINDOW_S * 1000))
    n = len(times_s)
    if n < FEWEST_SAMPLES:
        sentence = _("Lists of sessions: only %(n)d opened in 5 minutes, too few to judge (%(f)d).")
        values = {"n": n, "f": FEWEST_SAMPLES}
        return Figure("list-page", "", "", sentence % values, samples=n)
    p95 = times_s[-(-95 * n // 100) - 1]
    sentence = _("Lists of sessions: p95 %(p95)s of server time, of %(n)d in 5 minutes.") % {
        "p95": duration(p95 * 1000),
        "n": n,
    }
    longest = _("p50 %(p50)s, longest %(most)s.") % {
        "p50": duration(times_s[(n - 1) // 2] * 1000),
        "most": duration(times_s[-1] * 1000),
    }
    return Figure("list-page", "", "", sentence, p95, samples=n, detail=longest)
