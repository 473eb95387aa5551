"""What the console spends on looking: first readings, masking, tags, backups, ``/metrics``.

    python -m benchmarks.watching             10,000 sessions
    python -m benchmarks.watching --full      100,000

Prints a table; docs/performance.md quotes one. Everything runs in this process, over directories
that go with it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .material import build_store
from .places import say
from .results import align

_AGENTS = (1, 10, 50)
_ENTRIES = 2_000


def main() -> None:
    """Build what is looked at, look, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.watching")
    parser.add_argument("--full", action="store_true", help="100,000 sessions")
    sessions = 100_000 if parser.parse_args().full else 10_000
    with tempfile.TemporaryDirectory() as place:
        _prepare(Path(place))
        rows = [["what", "time"], *_store_rows(Path(place), sessions), *_metrics_rows(Path(place))]
    say(align(rows))


def _prepare(place: Path) -> None:
    """A console of its own, with a database and nothing to watch yet."""
    (place / "state").mkdir()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "SESSIONSTORE_DATA_DIR": str(place / "var"),
        "SESSIONSTORE_STATE_DIR": str(place / "state"),
        "SESSIONSTORE_METRICS_TOKEN": "benchmark" * 4,
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)


def _took_ms(work: Callable[[], Any], *, tries: int = 1) -> float:
    """The median of so many tries."""
    times = []
    for _try in range(tries):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def _store_rows(place: Path, sessions: int) -> list[list[str]]:
    from dashboard.services.entry_tags import tag_of
    from sessionstore.backup import create_backup, default_root
    from sessionstore.entries import redact
    from sessionstore.index import Index
    from sessionstore.paths import store_paths
    from sessionstore.store import open_store

    folder = place / "state" / "agents" / "main" / "sessions"
    folder.mkdir(parents=True)
    paths = store_paths(build_store(folder, sessions))
    first_ms = _took_ms(lambda: Index(paths, use_snapshot=False).refresh())
    with open_store(paths.store_path, report=False) as store:
        keys = store.keys()[:_ENTRIES]
        entries = [store.get(key) for key in keys]
        mask_ms = _took_ms(lambda: [redact(entry) for entry in entries], tries=5)
        etags = [str(store.etag(key)) for key in keys]
        pairs = list(zip(keys, etags, strict=True))
        tag_ms = _took_ms(lambda: [tag_of("0123456789ab", *pair) for pair in pairs], tries=5)
        backup = create_backup(store, root=default_root(paths), reason="benchmark")
    get = _signed_in()
    list_ms = _took_ms(lambda: get("/backups/"), tries=5)
    page_ms = _took_ms(lambda: get(f"/backups/{backup.id}/"), tries=5)
    count = f"{sessions:,} sessions"
    return [
        [f"first reading of a store, {count}, nothing kept", f"{first_ms:,.0f} ms"],
        ["the same for each session", f"{1000 * first_ms / sessions:.1f} µs"],
        ["masking a whole entry", f"{1000 * mask_ms / len(keys):.1f} µs"],
        ["the keyed tag of an entry", f"{1000 * tag_ms / len(keys):.1f} µs"],
        [f"list of backups, one of {count}", f"{list_ms:.1f} ms"],
        [f"page of a backup of {count}", f"{page_ms:.1f} ms"],
    ]


def _signed_in() -> Callable[[str], None]:
    from django.contrib.auth.models import User
    from django.test import Client

    from dashboard.roles import assign_role

    user = User.objects.create_user("benchmark")
    assign_role(user, "admin")
    client = Client(headers={"Host": "localhost"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def get(path: str) -> None:
        response = client.get(path)
        if response.status_code != 200:
            raise AssertionError(f"{path}: {response.status_code}")

    get("/backups/")
    return get


def _metrics_rows(place: Path) -> list[list[str]]:
    from django.test import override_settings

    from dashboard.services import metrics_answer
    from dashboard.services.metrics_follow import Follower
    from sessionstore.store import open_store

    rows = []
    for count in _AGENTS:
        state = place / f"of-{count}"
        for number in range(count):
            folder = state / "agents" / f"a{number:02}" / "sessions"
            folder.mkdir(parents=True)
            with open_store(folder / "sessions.json", report=False) as store:
                store.put("agent:main:main", {"updatedAt": 1})
        with override_settings(STATE_DIR=state):
            follower = Follower()
            first_ms = _took_ms(follower.look)
            look_ms = _took_ms(follower.look, tries=5)
            follower.finish()
            metrics_answer.forget()
            answer_ms = _took_ms(_answer)
            again_ms = _took_ms(_answer, tries=5)
        name = f"{count} agents" if count > 1 else "one agent"
        rows += [
            [f"adding up reports, {name}, nothing new", f"{look_ms:.1f} ms"],
            [f"/metrics, {name}, the first time", f"{answer_ms:.0f} ms"],
            [f"/metrics, {name}, again", f"{again_ms:.0f} ms"],
        ]
        say(f"measured {name} (first look {first_ms:.0f} ms)")
    return rows


def _answer() -> None:
    from dashboard.services import metrics_answer

    metrics_answer.forget()
    metrics_answer.answer("")


if __name__ == "__main__":
    main()
