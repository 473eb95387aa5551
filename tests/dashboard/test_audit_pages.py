"""Pages of the log: nothing left out, nothing twice, at the same cost at any length."""

from __future__ import annotations

import csv
import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from dashboard import audit, audit_export, audit_pages
from dashboard.acting import Actor
from dashboard.audit_export import find_export
from dashboard.audit_filters import LARGEST, Asked, actions
from dashboard.audit_pages import page_of
from dashboard.models import AuditEvent, AuditHead

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[AuditEvent]:
    """Ninety events of three people, an hour apart, read in short stretches."""
    monkeypatch.setattr(audit_pages, "STRETCH", 7)
    monkeypatch.setattr(audit_pages, "FEW", 5)
    people = [Actor(user_id=n, name=name, role="admin") for n, name in enumerate("abc")]
    for number in range(90):
        audit.record(
            None,
            by=people[number % 3],
            action="rare" if number in {3, 40, 88} else "often",
            reason=f"number {number}",
            outcome="failed" if number % 10 == 0 else "done",
            now=START + timedelta(hours=number),
        )
    return list(AuditEvent.objects.order_by("-sequence"))


def pages_down(asked: Asked, *, budget_s: float = 60) -> list[list[int]]:
    """Every page from the newest, as a person reads them with "Older"."""
    pages = []
    for _ in range(100):
        page = page_of(asked, budget_s=budget_s)
        pages.append([event.sequence for event in page.events])
        if page.older is None:
            return pages
        asked = Asked(**(fields(asked) | {"below": page.older, "above": None}))
    raise AssertionError("the pages never end")


def fields(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in Asked.__slots__}


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


QUESTIONS: list[tuple[dict[str, Any], Any]] = [
    ({}, lambda e: True),
    ({"person": "b"}, lambda e: e.actor == "b"),
    ({"action": "rare"}, lambda e: e.action == "rare"),
    ({"action": "often", "person": "c"}, lambda e: e.action == "often" and e.actor == "c"),
    ({"outcome": "failed"}, lambda e: e.outcome == "failed"),
    ({"text": "NUMBER 8"}, lambda e: "number 8" in e.reason),
    ({"person": "nobody"}, lambda e: False),
    (
        {"after_ms": milliseconds(START + timedelta(hours=20))},
        lambda e: e.at >= START + timedelta(hours=20),
    ),
    (
        {"before_ms": milliseconds(START + timedelta(hours=20))},
        lambda e: e.at < START + timedelta(hours=20),
    ),
    (
        {
            "after_ms": milliseconds(START + timedelta(hours=20)),
            "before_ms": milliseconds(START + timedelta(hours=23)),
        },
        lambda e: START + timedelta(hours=20) <= e.at < START + timedelta(hours=23),
    ),
]


def question_id(value: Any) -> str:
    """The same in every process: a function's own text holds its address."""
    return str(value)[:40] if isinstance(value, dict) else "matches"


@pytest.mark.parametrize(("question", "matches"), QUESTIONS, ids=question_id)
@pytest.mark.parametrize("per", [1, 4, 25])
@pytest.mark.parametrize("budget_s", [0, 60])
def test_pages_have_every_match_once_in_order(
    log: list[AuditEvent], question: dict[str, Any], matches: Any, per: int, budget_s: float
) -> None:
    expected = [event.sequence for event in log if matches(event)]
    pages = pages_down(Asked(**question, per=per), budget_s=budget_s)
    assert list(itertools.chain.from_iterable(pages)) == expected
    assert all(len(page) <= per for page in pages)


@pytest.mark.parametrize(("question", "matches"), QUESTIONS, ids=question_id)
def test_going_back_up_shows_the_same_pages(
    log: list[AuditEvent], question: dict[str, Any], matches: Any
) -> None:
    expected = [event.sequence for event in log if matches(event)]
    below, above = expected[8:9] or [1], expected[8:9] or [0]
    page = page_of(Asked(**question, per=4, above=above[0]), budget_s=60)
    assert [e.sequence for e in page.events] == (expected[4:8] if expected[8:] else expected[:4])
    down = page_of(Asked(**question, per=4, below=below[0]), budget_s=60)
    assert [e.sequence for e in down.events] == expected[9:13]


def test_the_page_above_is_the_newest_when_it_would_not_be_full(log: list[AuditEvent]) -> None:
    page = page_of(Asked(per=25, above=log[3].sequence))
    assert [e.sequence for e in page.events] == [e.sequence for e in log[:25]]
    assert page.newer is None


def test_a_page_whose_time_is_over_says_how_far_it_looked(log: list[AuditEvent]) -> None:
    page = page_of(Asked(text="nothing like this"), budget_s=0)
    assert page.events == ()
    assert page.looked_to == page.older == log[6].sequence


def test_upwards_too_a_page_whose_time_is_over_goes_on_from_there(log: list[AuditEvent]) -> None:
    page = page_of(Asked(text="nothing like this", above=10), budget_s=0)
    assert (page.events, page.newer, page.older) == ((), 17, 11)


def test_missing_and_forged_numbers_end_no_page(log: list[AuditEvent]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dashboard_auditevent WHERE sequence BETWEEN 20 AND 60")
        for forged in (10**15, LARGEST, -3):
            cursor.execute(
                "UPDATE dashboard_auditevent SET sequence = %s WHERE sequence ="
                " (SELECT MIN(sequence) FROM dashboard_auditevent WHERE sequence > 0)",
                [forged],
            )
    seen = list(itertools.chain.from_iterable(pages_down(Asked(person="a", per=3))))
    found = AuditEvent.objects.filter(actor="a", sequence__gt=0).order_by("-sequence")
    assert seen == [event.sequence for event in found]


def test_actions_are_found_by_steps_in_their_index(log: list[AuditEvent]) -> None:
    with connection.execute_wrapper(count := Counted()):
        assert actions() == ["often", "rare"]
    assert len(count.statements) == 3


# --- Cost ----------------------------------------------------------------------------------------


class Counted:
    """Keeps each statement that is run, as the database explains it."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Any]] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT"):
            self.statements.append((sql, params))
        return execute(sql, params, many, context)

    def plans(self) -> list[str]:
        plans = []
        with connection.cursor() as cursor:
            for sql, params in self.statements:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                plans += [row[-1] for row in cursor.fetchall()]
        return plans


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's words for a plan")
@pytest.mark.parametrize(
    "question",
    [
        {"person": "a", "action": "often", "outcome": "done"},
        {"text": "8", "target": "x", "key": "y", "store": "z", "address": "::1", "request_id": "r"},
        {"after_ms": 5, "before_ms": milliseconds(START) * 2, "person": "a"},
        {"below": 80},
        {"above": 5},
    ],
)
def test_no_statement_reads_or_sorts_the_whole_log(
    log: list[AuditEvent], question: dict[str, Any]
) -> None:
    with connection.execute_wrapper(count := Counted()):
        page_of(Asked(**question, per=10), budget_s=60)
    plans = count.plans()
    assert plans
    assert [plan for plan in plans if "SCAN" in plan and "USING" not in plan] == []
    assert [plan for plan in plans if "TEMP B-TREE" in plan] == []


def test_a_page_costs_the_same_at_any_length(log: list[AuditEvent]) -> None:
    def statements(below: int | None) -> int:
        with connection.execute_wrapper(count := Counted()):
            page_of(Asked(below=below, per=5), budget_s=60)
        return len(count.statements)

    assert statements(None) == statements(45) <= 3


# --- For programs --------------------------------------------------------------------------------


def exported(client: Client, query: str = "") -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(client.get(f"/audit.json?{query}").getvalue())[
        "events"
    ]
    return events


def csv_rows(client: Client, query: str = "") -> list[dict[str, str]]:
    text = client.get(f"/audit.csv?{query}").getvalue().decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_json_and_csv_have_every_event_that_matches(
    log: list[AuditEvent], admin_client: Client
) -> None:
    expected = [event.sequence for event in log if event.actor == "b"]
    assert [row["sequence"] for row in exported(admin_client, "person=b")] == expected
    assert [int(row["sequence"]) for row in csv_rows(admin_client, "person=b")] == expected


def test_json_and_csv_with_a_place_in_the_address_are_that_page(
    log: list[AuditEvent], admin_client: Client
) -> None:
    query = "person=b&per=25&below=60"
    numbers = [row["sequence"] for row in exported(admin_client, query)]
    assert len(numbers) == 20
    assert max(numbers) < 60
    assert [int(row["sequence"]) for row in csv_rows(admin_client, query)] == numbers


def test_an_event_is_exported_with_all_that_was_written_down(admin_client: Client) -> None:
    by = Actor(user_id=5, name="bob", role="operator", address="192.0.2.7", request_id="r1")
    details = {"intent": 1, "change": 9, "fields": {"label": ['"a"', '"b"']}}
    event = audit.record(
        None, by=by, action="session.edit", target="t", reason="why", details=details
    )
    (row,) = exported(admin_client, "person=bob")
    assert row == {
        "sequence": event.sequence,
        "at": event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "person": "bob",
        "role": "operator",
        "address": "192.0.2.7",
        "action": "session.edit",
        "target": "t",
        "outcome": "done",
        "reason": "why",
        "request_id": "r1",
        "change": 9,
        "intent": 1,
        "details": details,
        "altered": False,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }


def test_formulas_in_an_export_are_text(admin_client: Client) -> None:
    by = Actor(user_id=None, name="@x", role="-y")
    audit.record(None, by=by, action="+z", target="=1+1", reason="\t=2")
    (row,) = csv_rows(admin_client, "person=@x")
    assert (row["person"], row["role"], row["action"], row["target"]) == (
        *("'@x", "'-y", "'+z", "'=1+1"),
    )


def test_an_export_is_an_intent_and_an_outcome(admin_client: Client) -> None:
    rows = exported(admin_client, "outcome=done")
    intent, done = AuditEvent.objects.filter(action="audit.export")
    assert (intent.outcome, done.outcome) == ("started", "done")
    assert json.loads(intent.details) == {
        "format": "json",
        "query": "outcome=done",
        "newest": intent.sequence - 1,
    }
    assert json.loads(done.details)["events"] == len(rows)
    assert json.loads(done.details)["intent"] == intent.sequence


def test_an_export_that_is_broken_off_did_not_end(
    log: list[AuditEvent], admin_client: Client
) -> None:
    answer: Any = admin_client.get("/audit.csv")
    parts = iter(answer.streaming_content)
    for _ in range(3):
        next(parts)
    answer._iterator.close()  # what the server does when the browser has gone
    last = AuditEvent.objects.latest("sequence")
    assert (last.action, last.outcome) == ("audit.export", "failed")
    assert json.loads(last.details)["events"] < 5


def test_a_long_export_is_cut_between_events_and_goes_on(
    log: list[AuditEvent], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "MOST", 20)
    expected = [e.sequence for e in log if e.action == "often"]
    address, found, names = "/audit.json?action=often", [], []
    while address:
        answer = admin_client.get(address)
        content = json.loads(answer.getvalue())
        found.append([row["sequence"] for row in content["events"]])
        names.append(answer["Content-Disposition"])
        if content["next"]:
            assert answer["Link"] == f'<{content["next"]}>; rel="next"'
        address = content["next"]
    assert [len(part) for part in found] == [20, 20, 20, 20, 7]
    assert list(itertools.chain.from_iterable(found)) == expected
    assert names[0] == f'inline; filename="audit-{found[0][0]}-to-{found[0][-1]}.json"'
    told = json.loads(AuditEvent.objects.filter(action="audit.export", outcome="done")[0].details)
    assert (told["events"], told["next"]) == (20, found[1][0])


def test_a_long_export_as_csv_names_what_comes_next(
    log: list[AuditEvent], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "MOST", 50)
    answer = admin_client.get("/audit.csv?person=a&person=b&per=25")
    assert "Link" not in answer
    answer = admin_client.get("/audit.csv")
    rows = answer.getvalue().decode().splitlines()
    assert len(rows) == 51
    following = str(answer["Link"])[1:].partition(">")[0]
    assert following == f"/audit.csv?upto={int(rows[-1].split(',')[0]) - 1}"
    assert [row["sequence"] for row in csv_rows(admin_client, following.partition("?")[2])][:1] == [
        str(int(rows[-1].split(",")[0]) - 1)
    ]


def test_an_export_that_looked_for_too_long_says_where_to_go_on(log: list[AuditEvent]) -> None:
    asked, newest = Asked(text="number 8"), log[0].sequence
    found: list[int] = []
    for _ in range(100):
        export = find_export(asked, newest=newest, budget_s=-1)
        found += export.numbers
        if export.following is None:
            break
        newest = export.following
    assert found == [e.sequence for e in log if "number 8" in e.reason]


def test_the_page_says_what_a_download_holds_where_it_is_not_all(
    log: list[AuditEvent], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "A download holds at most 80 events"
    assert said not in admin_client.get("/audit/").text
    monkeypatch.setattr(audit_export, "MOST", 80)
    assert said in admin_client.get("/audit/").text
    page = admin_client.get(f"/audit/?upto={log[40].sequence}").text
    assert f"Event <strong>{log[40].sequence}</strong> and older" in page


def test_an_export_names_what_it_did_not_understand(admin_client: Client) -> None:
    content = json.loads(admin_client.get("/audit.json?bogus=1&after=soon").getvalue())
    assert content["ignored_parameters"] == ["bogus"]
    assert "Write a date" in content["invalid_parameters"]["after"][0]
    assert content["total"] == AuditHead.objects.get().sequence - 2


def test_ten_thousand_events_are_listed_and_exported(admin_client: Client) -> None:
    first = AuditHead.objects.get().sequence
    AuditEvent.objects.bulk_create(
        AuditEvent(
            sequence=first + n, at=START, action="bulk", outcome="done", details="{}", hash=str(n)
        )
        for n in range(1, 10_001)
    )
    AuditHead.objects.update(sequence=first + 10_000)
    newest = f"Event <strong>{first + 10_000:,}</strong> and older"
    assert newest in admin_client.get("/audit/").text
    assert len(exported(admin_client, "action=bulk")) == 10_000
