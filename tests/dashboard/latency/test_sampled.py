"""Where writers looked at some updates only, pages say sampled; nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from dashboard.services.refs import digest
from dashboard.services.sampled import exactness
from sessionstore.metrics import HotSession
from tests.dashboard.latency.conftest import id_of
from tests.dashboard.latency.reported import MS, group, report, window

pytestmark = pytest.mark.django_db
ADA = "agent:main:telegram:direct:ada"
LIN = "agent:main:lin"


def plant(directory: Path, now_ms: int, *, estimated: int) -> None:
    """8 updates of one operation with phases, and one of another that is exact."""
    phases = {"lock": [MS] * 8, "read": [2 * MS] * 8, "rename": [7 * MS] * 8}
    made = [
        group(wait=[MS] * 8, phases=phases, estimated=estimated),
        group(operation="put", wait=[MS], phases={"lock": [MS], "rename": [3 * MS]}),
    ]
    sessions = [
        HotSession(ADA, 8, 1, 5 * MS, 30 * MS, 4_000, 0, estimated),
        HotSession(LIN, 1, 1, 5 * MS, MS, 100, 0, 0),
    ]
    until_ms = now_ms - 20_000
    report(directory, [window(until_ms - 5_000, until_ms, made, sessions=sessions)])


def exactness_of(client: Client, address: str) -> dict[str, str]:
    charts = client.get(address).json()["charts"]
    return {chart["name"]: chart["exactness"] for chart in charts}


def test_only_phases_are_sampled(small: Path, now_ms: int, viewer_client: Client) -> None:
    plant(small / "agents" / "main" / "sessions", now_ms, estimated=7)
    said = exactness_of(viewer_client, "/latency.json")
    assert said.pop("phases") == "sampled, 1 update in 4"  # two of nine were looked at
    assert set(said.values()) == {"exact"}
    page = viewer_client.get("/latency/").text
    assert "where the time goes is an estimate (sampled, 1 update in 4)" in page


def test_an_operation_that_was_looked_at_whole_is_exact(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    plant(small / "agents" / "main" / "sessions", now_ms, estimated=7)
    assert set(exactness_of(viewer_client, "/latency.json?operation=put").values()) == {"exact"}
    only = exactness_of(viewer_client, "/latency.json?operation=patch")
    assert only["phases"] == "sampled, 1 update in 8"


def test_costs_of_sessions_say_it_and_waits_do_not(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    plant(small / "agents" / "main" / "sessions", now_ms, estimated=7)
    page = viewer_client.get("/latency/").text
    # By time held and by bytes; the time waited is of every update.
    assert page.count("sampled, 1 update in 8") == 2
    held = viewer_client.get("/latency.json").json()["top_sessions"]["held"]
    assert [(one["costs"], one["estimated"]) for one in held] == [
        ("sampled, 1 update in 8", 7),
        ("exact", 0),
    ]


@pytest.mark.parametrize(("estimated", "shown"), [(7, True), (0, False)])
def test_the_tab_of_a_session_says_it(
    small: Path, now_ms: int, viewer_client: Client, estimated: int, shown: bool
) -> None:
    plant(small / "agents" / "main" / "sessions", now_ms, estimated=estimated)
    address = f"/stores/{id_of('main')}/sessions/{digest(ADA)[:16]}"
    page = viewer_client.get(f"{address}/?tab=writes").text
    assert ("sampled, 1 update in 8" in page) is shown
    totals = viewer_client.get(f"{address}/writes.json").json()["totals"]
    assert {total["estimated"] for total in totals} == {estimated}


def test_without_load_nothing_is_said_to_be_sampled(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    plant(small / "agents" / "main" / "sessions", now_ms, estimated=0)
    assert set(exactness_of(viewer_client, "/latency.json").values()) == {"exact"}
    assert "sampled" not in viewer_client.get("/latency/").text


@pytest.mark.parametrize(
    ("updates", "estimated", "words"),
    [
        (100, 0, "exact"),
        (0, 0, "exact"),
        (1_124, 100, "sampled, most updates"),
        (8_000, 7_000, "sampled, 1 update in 8"),
        (8_000_000, 7_999_000, "sampled, 1 update in 8,000"),
        (300, 300, "not looked at"),
        (3, 10, "not looked at"),  # what no writer would report
    ],
)
def test_words(updates: int, estimated: int, words: str) -> None:
    assert exactness(updates, estimated) == words
