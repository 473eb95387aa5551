"""Reading through the API: the same rows as the pages, masked, under entity tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.jobs.kinds import KINDS
from sessionstore.store import Store, open_store

from .conftest import KEY, OTHER, SECRET, MakeProgram, Program, code_of, ref_of

pytestmark = pytest.mark.django_db


def test_stores_are_listed_with_their_counts(viewer: Program, store_id: str) -> None:
    [found] = viewer.get("/stores").json()["stores"]
    assert (found["id"], found["sessions"], found["layout"]) == (store_id, 2, "directory")
    assert viewer.get(f"/stores/{store_id}").json() == found


def test_a_store_that_is_not_there_is_not_found(viewer: Program, store: Store) -> None:
    assert code_of(viewer.get("/stores/000000000000")) == "not_found"
    assert code_of(viewer.get("/stores/000000000000/sessions")) == "not_found"


def test_sessions_are_filtered_and_ordered_as_on_the_page(viewer: Program, store_id: str) -> None:
    answer = viewer.get(f"/stores/{store_id}/sessions?channel=signal").json()
    assert [row["key"] for row in answer["sessions"]] == [OTHER]
    assert (answer["matched"], answer["total"]) == (1, 2)
    ordered = viewer.get("/sessions?sort=key").json()["sessions"]
    assert [row["key"] for row in ordered] == sorted([KEY, OTHER])


def test_a_page_beyond_the_last_is_empty(viewer: Program, store_id: str) -> None:
    answer = viewer.get(f"/stores/{store_id}/sessions?page=7&per=25").json()
    assert (answer["page"], answer["pages"], answer["sessions"]) == (7, 1, [])


@pytest.mark.parametrize(
    "query",
    [
        "kind=nobody",
        "page=0",
        "page=x",
        "page=1&page=2",
        "per=1000",
        "colour=red",
        "after=yesterday",
        "q=%00",
        "sort=;drop",
        "over=much",
    ],
)
def test_a_parameter_that_is_not_valid_is_refused_by_its_name(
    viewer: Program, store_id: str, query: str
) -> None:
    answer = viewer.get(f"/stores/{store_id}/sessions?{query}")
    assert code_of(answer) == "invalid"
    [told] = answer.json()["errors"]
    assert (told["in"], told["field"]) == ("query", query.partition("=")[0])


def test_a_session_is_read_with_its_secrets_masked(viewer: Program, ada: str, store: Store) -> None:
    answer = viewer.get(ada)
    assert answer.json()["entry"]["botToken"] == "[masked]"
    assert answer.json()["entry"]["label"] == "Ada"
    assert SECRET not in answer.text


def test_a_session_that_has_not_changed_is_not_sent_again(
    viewer: Program, ada: str, store: Store
) -> None:
    etag = viewer.get(ada)["ETag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = viewer.get(ada, if_none_match=known)
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    store.patch(KEY, {"label": "Ada L."})
    assert viewer.get(ada, if_none_match=etag).status_code == 200


def test_the_same_entity_tag_stands_for_the_same_bytes(viewer: Program, ada: str) -> None:
    assert viewer.get(ada).content == viewer.get(ada).content


def test_a_session_is_found_by_its_key(viewer: Program, ada: str, store_id: str) -> None:
    answer = viewer.get(f"/stores/{store_id}/sessions/by-key?key={quote(KEY.upper())}")
    assert answer.json() == viewer.get(ada).json()
    assert answer["Content-Location"] == f"/api/v1{ada}"


@pytest.mark.parametrize("key", ["", "%20", "%00", "x" * 4097, "a%00b"])
def test_what_cannot_be_a_key_is_refused(viewer: Program, store_id: str, key: str) -> None:
    assert code_of(viewer.get(f"/stores/{store_id}/sessions/by-key?key={key}")) == "bad_key"


def test_a_key_without_a_session_is_not_found(viewer: Program, store_id: str) -> None:
    answer = viewer.get(f"/stores/{store_id}/sessions/by-key?key=agent:main:nobody")
    assert code_of(answer) == "not_found"


def test_a_damaged_entry_is_told_without_its_content(
    viewer: Program, store: Store, store_id: str
) -> None:
    key = "agent:main:signal:direct:bad"
    path = store.paths.directory / "agent%3Amain%3Asignal%3Adirect%3Abad.json"
    path.write_bytes(b'{"label": "half')
    answer = viewer.get(f"/stores/{store_id}/sessions/{ref_of(key)}")
    assert code_of(answer) == "unusable"
    assert "half" not in answer.text


def test_history_lists_what_resets_replaced(
    viewer: Program, operator: Program, ada: str, store: Store
) -> None:
    assert operator.post(f"{ada}/reset").status_code == 200
    [life] = viewer.get(f"{ada}/history").json()["incarnations"]
    assert (life["session_id"], life["label"]) == ("id-ada", "Ada")
    assert viewer.get(ada).json()["entry"]["sessionId"] != "id-ada"


def test_versions_hold_what_a_change_replaced(viewer: Program, operator: Program, ada: str) -> None:
    saved = operator.post(f"{ada}/rename", {"label": "New", "reason": "asked to"}).json()
    [head] = viewer.get(f"{ada}/versions").json()["versions"]
    assert (head["id"], head["changed"]) == (saved["version_id"], ["label"])
    version = viewer.get(f"{ada}/versions/{head['id']}").json()
    assert (version["entry"]["label"], version["written"]) == ("Ada", {"label": "New"})
    assert version["entry"]["botToken"] == "[masked]"


def test_a_version_of_another_session_is_not_found(
    viewer: Program, operator: Program, ada: str, store_id: str
) -> None:
    version_id = operator.post(f"{ada}/rename", {"label": "New"}).json()["version_id"]
    other = f"/stores/{store_id}/sessions/{ref_of(OTHER)}"
    assert code_of(viewer.get(f"{other}/versions/{version_id}")) == "not_found"


def test_changes_are_listed_newest_first(operator: Program, ada: str, store_id: str) -> None:
    operator.post(f"{ada}/rename", {"label": "One"})
    operator.post(f"{ada}/archive", {})
    answer = operator.get("/changes").json()
    assert [row["action"] for row in answer["changes"]] == ["archive", "rename"]
    assert all(row["can_be_undone"] for row in answer["changes"])
    assert operator.get(f"/changes?store_id={store_id}&per=25&page=2").json()["changes"] == []
    assert operator.get(f"{ada}/changes").json()["matched"] == 2
    other = f"/stores/{store_id}/sessions/{ref_of(OTHER)}"
    assert operator.get(f"{other}/changes").json()["matched"] == 0
    one = answer["changes"][0]
    assert operator.get(f"/changes/{one['id']}").json() == one


def test_jobs_are_read_with_their_items(viewer: Program, store_id: str, bulk_job: int) -> None:
    [listed] = viewer.get("/jobs").json()["jobs"]
    assert (listed["id"], listed["stores"]) == (bulk_job, [store_id])
    job = viewer.get(f"/jobs/{bulk_job}?per=25").json()
    assert [item["key"] for item in job["items"]] == [KEY, OTHER]
    assert code_of(viewer.get("/jobs/999")) == "not_found"


@pytest.fixture
def bulk_job(store_id: str, viewer: Program) -> int:
    """A job of two items that waits."""
    actor = Actor(None, "somebody", "admin")
    kind = next(kind.name for kind in KINDS.values() if kind.role != "viewer")
    items: list[queue.Item] = [(store_id, KEY, {}), (store_id, OTHER, {})]
    return queue.ask(actor, kind=kind, title="Two sessions", items=items).pk


def test_what_is_out_of_scope_is_not_there(
    make_program: MakeProgram, operator: Program, ada: str, store_id: str, store: Store
) -> None:
    operator.post(f"{ada}/rename", {"label": "New"})
    work = open_store(Path(store.path).parents[3] / "agents" / "work" / "sessions")
    work.put("agent:work:main", {"sessionId": "w", "updatedAt": 5})
    worker = make_program("operator", name="worker", agents=["work"])
    assert [row["name"] for row in worker.get("/stores").json()["stores"]] == ["work"]
    refused: list[Any] = [
        worker.get(f"/stores/{store_id}"),
        worker.get(f"/stores/{store_id}/sessions"),
        worker.get(ada),
        worker.post(f"{ada}/archive"),
        worker.patch(ada, {"fields": {"label": "x"}, "opened": {}}),
        worker.get("/changes/1"),
        worker.post("/changes/1/undo"),
    ]
    assert [code_of(answer) for answer in refused] == ["not_found"] * len(refused)
    assert worker.get("/changes").json()["changes"] == []
    assert [row["agent"] for row in worker.get("/sessions").json()["sessions"]] == ["work"]


def test_numbers_that_json_has_not_are_null(
    viewer: Program, store: Store, store_id: str, ada: str
) -> None:
    path = store.paths.directory / "agent%3Amain%3Atelegram%3Adirect%3Aada.json"
    path.write_bytes(
        b'{"sessionId": "n", "updatedAt": 5, "odd": NaN, "far": [1e999], "half": "\\ud800"}'
    )
    answer = viewer.get(ada)
    entry = answer.json()["entry"]
    assert (entry["odd"], entry["far"], entry["half"]) == (None, [None], "\ud800")
