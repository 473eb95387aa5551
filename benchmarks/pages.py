"""Measure the console's pages over HTTP, and what its viewers cost the writers.

    python -m benchmarks.pages           about two minutes
    python -m benchmarks.pages --full    more rounds

A real gunicorn on loopback watches one state directory with two agents, of 1,000 and of 100,000
sessions. Their list pages are asked for alternately on one connection. Then a writer saturates
one core less than there are, in windows without viewers, with 16 viewers who look at every screen
as often as a live page does, and with a process that only burns what the console used.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from sessionstore.demo import fill

from . import results
from .console import Client, Console, serve
from .places import MEMORY, say
from .results import Result, Table, times
from .rows_viewers import row_viewers
from .timing import Samples, interleave, percentile, ratio

SMALL, LARGE = 1_000, 100_000
_READ_WITHIN_S = 60.0


def main() -> None:
    """Build the state, serve it, measure, print and keep."""
    options = _options()
    facts = results.machine()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        state, data = folder / "state", folder / "data"
        data.mkdir(mode=0o700)
        say(f"building {SMALL:,} and {LARGE:,} sessions")
        fill(_store_path(state, "small"), SMALL, agent_id="small")
        large = _store_path(state, "large")
        fill(large, LARGE, agent_id="large")
        console = stack.enter_context(serve(state, data))
        read_s = _wait_until_read(console)
        client = console.client()
        screens = _screens(client)
        rows = row_list(client, screens, rounds=100 if options.full else 40)
        tables = [pages_table(client, screens, read_s, rounds=20)]
        rows += row_viewers(console, large, list(screens.values()), rounds=7 if options.full else 3)
    say(results.show(rows))
    for table in tables:
        say(f"\n{table.title}\n" + results.align([table.columns, *table.rows]))
    say(f"\nkept in {results.write('pages', rows, tables, machine=facts)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.pages", description="Measure the pages.")
    parser.add_argument("--full", action="store_true", help="more rounds")
    return parser.parse_args()


def _store_path(state: Path, agent: str) -> Path:
    path = state / "agents" / agent / "sessions"
    path.mkdir(parents=True)
    return path / "sessions.json"


def _wait_until_read(console: Console) -> float:
    """Wait until every process of the console has read both stores; returns the seconds.

    Each new connection may reach another process, so several have to agree.
    """
    started = time.monotonic()
    while time.monotonic() < started + _READ_WITHIN_S:
        seen = [_stores(console.client()) for _ in range(6)]
        counts = {sum(store["sessions"] or 0 for store in stores) for stores in seen}
        if counts == {SMALL + LARGE}:
            return time.monotonic() - started
        time.sleep(0.2)
    raise RuntimeError(f"the console still shows {counts} sessions")


def _screens(client: Client) -> dict[str, str]:
    """Every screen's address by name; the ids come from the JSON twins."""
    stores = {store["name"]: store["id"] for store in _stores(client)}
    large = f"/stores/{stores['large']}/sessions"
    listed = client.get_json(f"{large}.json?page=1")
    return {
        "overview": "/",
        "stores": "/stores/",
        "sessions of all agents": "/sessions/",
        f"sessions, {SMALL:,}": f"/stores/{stores['small']}/sessions/",
        f"sessions, {LARGE:,}": f"{large}/",
        "one session": f"{large}/{listed['sessions'][0]['ref']}/",
    }


def _stores(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get_json("/stores.json")["stores"]
    return found


def row_list(client: Client, screens: dict[str, str], rounds: int) -> list[Result]:
    """The list page at 100,000 sessions ÷ at 1,000."""
    small, large = screens[f"sessions, {SMALL:,}"], screens[f"sessions, {LARGE:,}"]
    samples = interleave(
        {"small": lambda turn: client.get(small), "large": lambda turn: client.get(large)}, rounds
    )
    found = ratio(samples, "large", "small")
    milliseconds = f"{samples['large'].p50_us / 1e3:.0f}, {samples['small'].p50_us / 1e3:.0f} ms"
    return [
        Result(
            0,
            "list page, 100,000 sessions ÷ 1,000, p50",
            "HTTP",
            "–",
            "≤ 1.5",
            f"{times(found)} ({milliseconds})",
            found <= 1.5,
            {"ratio": found},
        )
    ]


def pages_table(client: Client, screens: dict[str, str], read_s: float, rounds: int) -> Table:
    """Time of every screen, and of typical questions to the large list."""
    large = screens[f"sessions, {LARGE:,}"]
    pages = {
        **screens,
        f"search without a match, {LARGE:,}": f"{large}?q=no+such+session",
        f"sorted by size, {LARGE:,}": f"{large}?sort=-size",
        f"page 1,000, {LARGE:,}": f"{large}?page=1000",
    }
    operations = {name: partial(_look, client, path) for name, path in pages.items()}
    samples = interleave(operations, rounds)
    rows = [_page_row(name, found) for name, found in samples.items()]
    rows.append(["all sessions read after the first look", f"{read_s * 1e3:,.0f}", "–"])
    return Table("Pages on loopback, one request at a time", ["page", "p50 ms", "p95 ms"], rows)


def _look(client: Client, path: str, turn: int) -> None:
    client.get(path)


def _page_row(name: str, found: Samples) -> list[str]:
    return [name, f"{found.p50_us / 1e3:.1f}", f"{percentile(found.wall_ns, 0.95) / 1e6:.1f}"]


if __name__ == "__main__":
    main()
