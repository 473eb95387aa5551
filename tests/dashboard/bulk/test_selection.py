"""Picking sessions: rows that were ticked, and everything that matches, fixed when it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard import scope
from dashboard.services import bulk_selection
from dashboard.services.bulk_selection import Selection, again, matching, rows_of, ticked
from dashboard.services.fleet import fleet
from dashboard.services.problems import ProblemError
from dashboard.services.vocabulary import Wanted
from sessionstore.store import Store, open_store
from tests.dashboard.bulk.conftest import CAST, PREFIX, key

pytestmark = pytest.mark.django_db

CRON = "agent:main:cron:night"


def row_ids(store_id: str, *keys: str) -> list[str]:
    reader = fleet().reader(store_id)
    return [f"{store_id}-{reader.refs.of(one)}" for one in keys]


def keys_of(selection: Selection) -> list[str | None]:
    return [one.key for one in selection.picked]


def test_ticked_rows_are_taken_once_and_in_their_order(store_id: str) -> None:
    ids = row_ids(store_id, key("tom"), key("ada"), key("tom"))
    assert keys_of(ticked(ids, Wanted())) == [key("tom"), key("ada")]


def test_a_machine_session_that_the_list_did_not_show_is_left_alone(store_id: str) -> None:
    ids = row_ids(store_id, CRON, key("ada"))
    hidden = ticked(ids, Wanted())
    assert keys_of(hidden) == [None, key("ada")]
    assert "machine session" in hidden.picked[0].why
    assert keys_of(ticked(ids, Wanted(machine=True))) == [CRON, key("ada")]
    assert keys_of(ticked(ids, Wanted(kinds=frozenset({"cron"})))) == [CRON, key("ada")]


def test_a_row_that_has_gone_is_told_from_one_that_never_was(store: Store, store_id: str) -> None:
    ids = row_ids(store_id, key("ada"))
    store.delete(key("ada"))
    picked = ticked([*ids, f"{store_id}-{'0' * 16}", f"{'f' * 12}-{'0' * 16}"], Wanted()).picked
    assert [one.why for one in picked] == [
        "It is not there any more.",
        "It is not there any more.",
        "Its store is not there any more, or is outside of your scope.",
    ]


@pytest.mark.parametrize(
    "row", ["x", "../../etc/passwd", "0" * 12, f"{'0' * 12}-{'0' * 17}", "__proto__", "é" * 29]
)
def test_rows_of_another_form_are_refused(row: str, store: Store) -> None:
    with pytest.raises(ProblemError) as refused:
        ticked([row], Wanted())
    assert refused.value.problem.status == 400


def test_a_selection_of_nothing_is_refused(store: Store) -> None:
    with pytest.raises(ProblemError, match="No session is selected"):
        ticked([], Wanted())
    with pytest.raises(ProblemError, match="No session is selected"):
        matching(Wanted(text="nobody"), store_id=None)


def test_too_many_are_refused_before_any_is_looked_at(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_selection, "MOST", 3)
    with pytest.raises(ProblemError) as refused:
        matching(Wanted(), store_id=None)
    assert refused.value.problem.detail == "The selection has 7 sessions; a plan takes at most 3."


def test_everything_that_matches_is_what_all_pages_of_the_list_show(store: Store) -> None:
    found = matching(Wanted(per=25), store_id=None)
    names = [(one.key or "").removeprefix(PREFIX) for one in found.picked]
    assert names == [*CAST, "bad"]
    assert found.hidden_machine == 1
    found = matching(Wanted(flags=frozenset({"failover"})), store_id=None)
    assert keys_of(found) == [key("kim")]
    assert CRON in keys_of(matching(Wanted(machine=True), store_id=None))


def test_a_selection_stays_what_it_was_when_the_list_grows(store: Store) -> None:
    found = matching(Wanted(), store_id=None)
    store.put(key("new"), {"sessionId": "new"})
    assert keys_of(again(found.picked)) == keys_of(found)


def test_a_store_that_could_not_be_read_is_named(store: Store, tmp_path: Path) -> None:
    broken = tmp_path / "state" / "agents" / "broken" / "sessions"
    broken.mkdir(parents=True)
    (broken / "sessions.json").write_text("[]")
    assert matching(Wanted(), store_id=None).late == ("broken",)


def test_agents_beyond_the_scope_are_not_there(store_id: str, tmp_path: Path) -> None:
    work = open_store(tmp_path / "state" / "agents" / "work" / "sessions")
    work.put("agent:work:one", {"sessionId": "1"})
    ids = row_ids(store_id, key("ada"))
    with scope.limited_to({"work"}):
        assert keys_of(matching(Wanted(), store_id=None)) == ["agent:work:one"]
        assert keys_of(ticked(ids, Wanted())) == [None]
        with pytest.raises(ProblemError):
            matching(Wanted(), store_id=store_id)


def test_rows_of_a_selection_leave_out_what_has_gone(store: Store, store_id: str) -> None:
    ids = row_ids(store_id, key("ada"), key("kim"))
    store.delete(key("ada"))
    rows = rows_of(ticked(ids, Wanted()))
    assert [(row.key, row.override_origin) for row in rows] == [(key("kim"), "auto")]
