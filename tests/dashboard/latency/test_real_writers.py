"""Real processes write with the store and report by themselves; the page has their sums."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from dashboard.services.refs import digest
from tests.dashboard.latency.conftest import id_of

pytestmark = pytest.mark.django_db

_WRITER = """
import sys
from sessionstore.store import open_store
store = open_store(sys.argv[1])
for number in range(int(sys.argv[2])):
    store.patch("agent:main:telegram:direct:ada", {"count": number, "by": sys.argv[3]})
    store.patch(f"agent:main:explicit:{sys.argv[3]}", {"count": number})
store.close()
"""


def start(directory: Path, count: int, name: str) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", _WRITER, str(directory), str(count), name]
    return subprocess.Popen(arguments, cwd=Path(__file__).parents[3])


def test_sums_over_processes_are_exact_after_they_have_ended(
    small: Path, viewer_client: Client
) -> None:
    directory = small / "agents" / "main" / "sessions"
    writers = [start(directory, 40, f"writer{number}") for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    answer = viewer_client.get("/latency.json").json()
    assert answer["total"]["updates"] == 3 * 40 * 2
    assert answer["total"]["timeouts"] == 0
    assert answer["writers"] == 3
    assert {time["n"] for time in answer["total"]["times"]} == {240}
    assert answer["total"]["written_bytes"] > answer["total"]["changed_bytes"] > 0
    [phases] = [chart for chart in answer["charts"] if chart["name"] == "phases"]
    [shares] = [row for row in phases["rows"] if row and row[0] is not None][:1]
    assert sum(shares) == pytest.approx(100, abs=0.1)
    ada = next(one for one in answer["top_sessions"]["held"] if one["key"].endswith("ada"))
    assert (ada["updates"], ada["over_count"]) == (120, 0)


def test_a_sessions_writes_name_the_processes_that_wrote(
    small: Path, viewer_client: Client
) -> None:
    directory = small / "agents" / "main" / "sessions"
    writer = start(directory, 20, "one")
    assert writer.wait(60) == 0
    ref = digest("agent:main:telegram:direct:ada")[:16]
    answer = viewer_client.get(f"/stores/{id_of('main')}/sessions/{ref}/writes.json").json()
    assert answer["totals"][0]["updates"] == 20
    assert {one["pid"] for one in answer["writes"]} == {writer.pid}
    assert {one["operation"] for one in answer["writes"]} == {"patch"}
