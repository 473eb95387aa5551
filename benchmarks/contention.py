"""Measure contention: many writers at once, their order, and what watching all that costs.

    python -m benchmarks.contention              about fifteen minutes, five of them watched twice
    python -m benchmarks.contention --short      under a minute: to see that it runs, not to keep
    python -m benchmarks.contention --only fanout

Ratios within one run are the result. How many cores there are is part of every row, since writers
of different sessions gain by each of them.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sessionstore.demo import fill

from . import results
from .console import Client, serve
from .places import MEMORY, say
from .results import Result
from .rows_contention import rows_writers
from .rows_fanout import rows_fanout
from .rows_watching import rows_watching

WATCHED_SESSIONS = 10_000
WATCHED_S, SHORT_S = 300.0, 10.0
LIVE = ("/", "/sessions/", "/stores/", "/jobs/", "/locks/", "/latency/", "/checks/", "/incidents/")
"""Every screen that looks by itself, and those of this benchmark that are loaded again."""

Part = Callable[[Path, bool], list[Result]]


def main() -> None:
    """Measure what the arguments ask for, print it, and keep it unless it was a short run."""
    options = _options()
    facts = results.machine()
    found: list[Result] = []
    for name in options.only or PARTS:
        folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        try:
            found += PARTS[name](folder, options.short)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    say(results.show(found))
    if not options.short and not options.only:
        say(f"\nkept in {results.write('contention', found, machine=facts)}")


def _writers(folder: Path, short: bool) -> list[Result]:
    return rows_writers(folder, window_s=0.5 if short else 3.0, rounds=1 if short else 7)


def _fanout(folder: Path, short: bool) -> list[Result]:
    return rows_fanout(folder, rounds=1 if short else 5)


def _watching(folder: Path, short: bool) -> list[Result]:
    state, data = folder / "state", folder / "data"
    data.mkdir(mode=0o700)
    path = state / "agents" / "main" / "sessions" / "sessions.json"
    path.parent.mkdir(parents=True)
    fill(path, WATCHED_SESSIONS, agent_id="main")
    token = secrets.token_urlsafe(24)
    with ExitStack() as stack:
        console = stack.enter_context(serve(state, data, SESSIONSTORE_METRICS_TOKEN=token))
        screens = [*LIVE, *_own_screens(console.client())]
        return rows_watching(console, path, screens, token, seconds=SHORT_S if short else WATCHED_S)


def _own_screens(client: Client) -> list[str]:
    """The pages of the store and of one session, whose ids come from the JSON twins."""
    (store,) = client.get_json("/stores.json")["stores"]
    one = f"/stores/{store['id']}"
    listed = client.get_json(f"{one}/sessions.json?page=1")
    session = f"{one}/sessions/{listed['sessions'][0]['ref']}"
    return [f"{one}/locks/", f"{one}/latency/", f"{session}/?tab=locks", f"{session}/?tab=writes"]


PARTS: dict[str, Part] = {"writers": _writers, "fanout": _fanout, "watching": _watching}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.contention", description="Measure contention."
    )
    parser.add_argument("--short", action="store_true", help="see that it runs; keep nothing")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; keep nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
