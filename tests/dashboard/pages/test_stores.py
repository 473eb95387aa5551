"""The list of stores shows every store, with why where it could not be opened."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.services import facts
from sessionstore.migration import Mirror, enable_mirror
from sessionstore.paths import store_paths
from sessionstore.store import open_store


def rows_of(client: Client, query: str = "") -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in client.get(f"/stores.json{query}").json()["stores"]}


def test_stores_list_agents_that_are_not_configured_and_links(demo_client: Client) -> None:
    rows = rows_of(demo_client)
    assert rows["old-assistant"]["origin"] == "discovered"
    assert rows["shared"]["is_open"] is False
    assert "symbolic link" in rows["shared"]["findings"][0]["message"]
    text = demo_client.get("/stores/").content.decode()
    assert "not configured" in text
    assert "symbolic link" in text


def test_the_count_of_problems_looks_as_bad_as_the_worst_of_them(demo_client: Client) -> None:
    rows = demo_client.get("/stores/").content.decode().split("<tr ")
    for name, state in (("ops", "bad"), ("research", "watch")):
        [row] = [row for row in rows if f"data-open>{name}</a>" in row]
        assert f'<a class="state" data-state="{state}"' in row


def test_stores_show_counts_sizes_and_the_biggest_session(
    small_state: Path, viewer_client: Client
) -> None:
    row = rows_of(viewer_client)["main"]
    assert (row["sessions"], row["machine_sessions"]) == (3, 1)
    assert row["layout"] == "directory"
    assert row["newest_at"] == "2026-09-21T14:13:25.000Z"
    assert row["biggest_bytes"] > 0


def test_stores_explain_both_layouts(small_state: Path, viewer_client: Client) -> None:
    legacy = small_state / "agents" / "main" / "sessions" / "sessions.json"
    legacy.write_text(json.dumps({"agent:main:old": {"sessionId": "x", "updatedAt": 1}}))
    row = rows_of(viewer_client)["main"]
    assert row["layout"] == "both"
    assert [finding["rule"] for finding in row["findings"]] == ["both-layouts"]
    assert row["problems"] == 1
    text = viewer_client.get("/stores/").content.decode()
    assert "both layouts" in text
    assert "sessions.json stands beside it and is not read" in text


def test_a_mirrors_copy_is_no_second_layout_until_another_program_writes_it(
    small_state: Path, viewer_client: Client
) -> None:
    legacy = small_state / "agents" / "main" / "sessions" / "sessions.json"
    with open_store(legacy) as store:
        enable_mirror(store)
        mirror = Mirror(store)
        assert mirror.tick(0.0)
        row = rows_of(viewer_client)["main"]
        assert (row["layout"], row["findings"], row["problems"]) == ("directory", [], 0)
        assert "copy of it" in viewer_client.get("/stores/").content.decode()
        legacy.write_text("{}")
        mirror.tick(100.0)
        mirror.close()
    row = rows_of(viewer_client)["main"]
    assert row["layout"] == "both"


def test_stores_tell_free_space_and_warn_of_network_file_systems(
    small_state: Path, viewer_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = viewer_client.get("/stores/").content.decode()
    assert "free" in text
    assert "A network file system" not in text
    paths = store_paths(small_state / "agents" / "main" / "sessions")
    here = frozenset({facts.disk_of(paths).kind})
    monkeypatch.setattr(facts, "NETWORK_FILE_SYSTEMS", here)
    assert "A network file system" in viewer_client.get("/stores/").content.decode()
    assert "On a network file system" in viewer_client.get("/").content.decode()


def test_paths_are_shown_below_the_state_directory(
    small_state: Path, viewer_client: Client
) -> None:
    text = viewer_client.get("/stores/").content.decode()
    assert ">agents/main/sessions<" in text


def test_stores_are_sorted_by_any_column_and_an_odd_one_is_ignored(demo_client: Client) -> None:
    by_size = [row["sessions"] for row in rows_of(demo_client, "?sort=-sessions").values()]
    known = [count for count in by_size if count is not None]
    assert known == sorted(known, reverse=True)
    page = demo_client.get("/stores/?sort=-sessions").content.decode()
    assert 'aria-sort="descending"' in page
    assert demo_client.get("/stores/?sort=__class__").status_code == 200


def test_stores_csv_has_a_line_for_each_store(demo_client: Client) -> None:
    answer = demo_client.get("/stores.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="stores.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert {line["name"] for line in lines} == rows_of(demo_client).keys()


def test_a_store_that_appears_is_listed_at_once(small_state: Path, viewer_client: Client) -> None:
    assert set(rows_of(viewer_client)) == {"main", "work"}
    open_store(small_state / "agents" / "new" / "sessions").put("agent:new:main", {"updatedAt": 1})
    assert rows_of(viewer_client)["new"]["sessions"] == 1


def test_a_store_that_went_away_is_not_found_with_a_next_step(
    small_state: Path, viewer_client: Client
) -> None:
    answer = viewer_client.get("/stores/aaaaaaaaaaaa/sessions/")
    assert answer.status_code == 404
    assert "list of agents and stores" in answer.content.decode()
