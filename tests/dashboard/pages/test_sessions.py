"""The session list: filters, facets, order, pages, notes, and its live part."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.services import sessions
from sessionstore.store import open_store

ADA = "agent:main:telegram:direct:ada"


def listed(client: Client, query: str = "", path: str = "/sessions.json") -> dict[str, Any]:
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def keys(client: Client, query: str = "") -> list[str]:
    return [row["key"] for row in listed(client, query)["sessions"]]


def page(client: Client, query: str = "", **headers: str) -> str:
    answer = client.get(f"/sessions/?{query}", headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_machine_sessions_are_hidden_and_counted(small_state: Path, viewer_client: Client) -> None:
    assert "agent:main:cron:night" not in keys(viewer_client)
    assert "1 machine session hidden" in page(viewer_client)
    assert keys(viewer_client, "machine=yes")[0] == "agent:main:cron:night"


def test_agents_are_merged_in_one_order(small_state: Path, viewer_client: Client) -> None:
    assert keys(viewer_client) == [
        "agent:work:telegram:direct:ada",
        ADA,
        "agent:main:signal:direct:lin",
    ]
    assert keys(viewer_client, "sort=name") == [
        ADA,
        "agent:work:telegram:direct:ada",
        "agent:main:signal:direct:lin",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=lin", ["agent:main:signal:direct:lin"]),
        ("key=agent:*:telegram:*", ["agent:work:telegram:direct:ada", ADA]),
        ("channel=signal", ["agent:main:signal:direct:lin"]),
        ("agent=work", ["agent:work:telegram:direct:ada"]),
        ("kind=cron", ["agent:main:cron:night"]),
        ("after=2026-09-21T14:13:23.500%2B00:00", ["agent:work:telegram:direct:ada"]),
        ("before=2026-09-21T14:13:22.500%2B00:00", ["agent:main:signal:direct:lin"]),
        ("over=1MiB", []),
        ("overrides=yes", []),
        ("damaged=yes", []),
    ],
)
def test_filters_narrow_the_list(
    query: str, expected: list[str], small_state: Path, viewer_client: Client
) -> None:
    assert keys(viewer_client, query) == expected


def test_facets_count_what_choosing_a_value_would_show(
    small_state: Path, viewer_client: Client
) -> None:
    facets = listed(viewer_client, "channel=signal")["facets"]
    assert facets["channel"] == {"telegram": 2, "signal": 1}
    assert facets["agent"]["main"] == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("after=soon", "Write a date"),
        ("before=2026-13-40", "Write a date"),
        ("after=999999w", "Write a date"),
        ("over=big", "Write a size"),
    ],
)
def test_bad_input_is_told_at_its_field_and_the_list_is_kept(
    query: str, message: str, small_state: Path, viewer_client: Client
) -> None:
    text = page(viewer_client, query)
    assert message in text
    assert 'aria-invalid="true"' in text
    assert len(keys(viewer_client, query)) == 3


def test_an_unknown_parameter_is_named_and_ignored(
    small_state: Path, viewer_client: Client
) -> None:
    assert "left out: bogus" in page(viewer_client, "bogus=1")
    assert listed(viewer_client, "bogus=1")["ignored_parameters"] == ["bogus"]
    assert len(keys(viewer_client, "sort=nonsense&kind=nonsense")) == 3


def test_a_page_beyond_the_end_is_the_last_one(small_state: Path, viewer_client: Client) -> None:
    text = page(viewer_client, "page=99")
    assert "Page 99 does not exist" in text
    assert "Page 1 of 1" in text


def test_pages_cut_the_list_without_loss_or_repetition(demo_client: Client) -> None:
    everything = keys(demo_client, "machine=yes")
    paged = [
        key for n in range(1, 20) for key in keys(demo_client, f"machine=yes&per=25&page={n}")
    ][: len(everything)]
    assert paged == everything
    assert len(everything) == len(set(everything)) or len(everything) > 300


def test_the_three_empty_lists_say_different_things(
    small_state: Path, viewer_client: Client
) -> None:
    store = open_store(small_state / "agents" / "main" / "sessions")
    work = open_store(small_state / "agents" / "work" / "sessions")
    assert 'data-empty="none-match"' in page(viewer_client, "q=nobody")
    store.delete(ADA)
    store.delete("agent:main:signal:direct:lin")
    work.delete("agent:work:telegram:direct:ada")
    assert 'data-empty="machine"' in page(viewer_client)
    store.delete("agent:main:cron:night")
    assert 'data-empty="nothing"' in page(viewer_client)


def test_damaged_files_are_rows_with_their_problem(demo_client: Client) -> None:
    rows = listed(demo_client, "damaged=yes&machine=yes")["sessions"]
    assert any("is not JSON" in row["problem"] for row in rows)
    assert "is not JSON" in page(demo_client, "damaged=yes&machine=yes")


def test_running_is_said_only_with_proof(small_state: Path, viewer_client: Client) -> None:
    store = open_store(small_state / "agents" / "main" / "sessions")
    store.put(ADA, {"sessionId": "a", "updatedAt": 1_790_000_000_000, "status": "running"})
    text = page(viewer_client)
    assert "marked running" in text
    assert "no proof" in text
    store.patch(ADA, {"label": "now"})
    assert "written less than 30 s ago" in page(viewer_client)


def test_htmx_gets_the_part_that_it_swaps_and_caches_may_not_mix_them(
    small_state: Path, viewer_client: Client
) -> None:
    answer = viewer_client.get("/sessions/", headers={"HX-Request": "true"})
    text = answer.content.decode().strip()
    assert text.startswith('<div id="session-view">')
    assert "<html" not in text
    assert "HX-Request" in answer["Vary"]
    assert "no-store" in answer["Cache-Control"]


# --- the live part ------------------------------------------------------------------------------


def live(client: Client, header: str) -> Any:
    return client.get("/sessions/", headers={"HX-Request": "true", "X-Live": header})


def live_header(text: str) -> str:
    found = re.search(r'"X-Live": "([^"]*)"', text)
    assert found
    return found[1]


@pytest.fixture
def unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look of a live list read anew, as it does a second after the last reading."""
    monkeypatch.setattr(sessions, "LIVE_AGE_S", 0.0)


def rows_in(header: str) -> list[str]:
    return header.split(" ")[2:]


def test_a_live_list_keeps_its_rows_and_counts_new_ones(
    small_state: Path, viewer_client: Client, unshared: None
) -> None:
    header = live_header(page(viewer_client))
    store = open_store(small_state / "agents" / "main" / "sessions")
    store.put("agent:main:telegram:direct:new", {"sessionId": "n", "label": "Newcomer"})
    store.patch(ADA, {"label": "Ada Lovelace"})
    answer = live(viewer_client, header)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "1 new row, show" in text
    assert "Newcomer" not in text
    assert "Ada Lovelace" in text
    assert rows_in(live_header(text)) == rows_in(header)


def test_a_live_list_that_finds_nothing_new_sends_no_rows_and_asks_less_often(
    small_state: Path, viewer_client: Client, unshared: None
) -> None:
    answer = live(viewer_client, live_header(page(viewer_client)))
    text = answer.content.decode()
    assert answer["HX-Retarget"] == "#session-bar"
    assert text.startswith('<div id="session-bar"')
    assert "data-row" not in text
    assert 'hx-trigger="every 30s"' in text
    open_store(small_state / "agents" / "main" / "sessions").patch(ADA, {"label": "Ada L."})
    answer = live(viewer_client, live_header(text))
    assert "HX-Retarget" not in answer
    assert 'hx-trigger="every 10s"' in answer.content.decode()


def test_looks_of_live_lists_share_a_reading_and_pages_never_do(
    small_state: Path, viewer_client: Client
) -> None:
    header = live_header(page(viewer_client))
    open_store(small_state / "agents" / "main" / "sessions").patch(ADA, {"label": "Ada L."})
    assert "Ada L." not in live(viewer_client, header).content.decode()
    assert "Ada L." in page(viewer_client)


def test_locked_sessions_can_be_listed(small_state: Path, viewer_client: Client) -> None:
    assert "held by a writer" not in page(viewer_client)
    assert keys(viewer_client, "locked=yes") == []
    held, done = threading.Event(), threading.Event()

    def hold(entry: Any) -> None:
        held.set()
        done.wait(20)

    store = open_store(small_state / "agents" / "main" / "sessions")
    writer = threading.Thread(target=store.update, args=(ADA, hold))
    writer.start()
    try:
        assert held.wait(10)
        text = page(viewer_client)
        assert "held by a writer" in text
        assert "holds its lock for update" in text
        assert keys(viewer_client, "locked=yes") == [ADA]
        assert keys(viewer_client, "locked=yes&channel=telegram") == [ADA]
        assert keys(viewer_client, "locked=yes&channel=signal") == []
    finally:
        done.set()
        writer.join()


def test_a_live_list_greys_out_what_was_deleted(
    small_state: Path, viewer_client: Client, unshared: None
) -> None:
    header = live_header(page(viewer_client))
    open_store(small_state / "agents" / "main" / "sessions").delete(ADA)
    text = live(viewer_client, header).content.decode()
    assert "data-gone" in text
    assert "gone, noticed at" in text


def test_a_live_list_stops_after_half_an_hour(small_state: Path, viewer_client: Client) -> None:
    rows = live_header(page(viewer_client)).partition(" ")[2]
    answer = live(viewer_client, f"1000 {rows}")
    assert answer.status_code == 286
    assert "hx-trigger" not in answer.content.decode().partition("<table")[0]


def test_a_paused_list_does_not_poll(small_state: Path, viewer_client: Client) -> None:
    text = page(viewer_client, "live=off")
    assert 'hx-trigger="every' not in text
    assert "Make it live" in text


@pytest.mark.parametrize("header", ["", "x", "1 ../../etc", "1 " + "a" * 9000, "9" * 40])
def test_a_forged_live_header_does_no_harm(
    header: str, small_state: Path, viewer_client: Client
) -> None:
    assert live(viewer_client, header).status_code in (200, 286)
