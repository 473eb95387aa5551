"""The audit page: every event, what belongs together, filters, pages, the check, tampering."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from dashboard import audit, audit_chain, audit_checks
from dashboard.acting import Actor
from dashboard.models import AuditEvent, AuditHead

pytestmark = pytest.mark.django_db

KEY = "agent:main:telegram:direct:ada"
ABOUT = {"store": "a1b2c3d4e5f6", "agent": "main", "key": KEY, "via": "console"}
MARKUP = '<script>window.broken=1</script><img src=x onerror="window.broken=1">'


def actor(name: str = "bob", **given: Any) -> Actor:
    values: dict[str, Any] = {"role": "operator", "address": "192.0.2.7", "request_id": "req-1"}
    return Actor(user_id=7, name=name, **(values | given))


def edited(outcome: str = "done", *, key: str = KEY, by: Actor | None = None) -> tuple[int, int]:
    """Write the two events of one edit and give their numbers."""
    given: dict[str, Any] = {
        "by": by or actor(),
        "action": "session.edit",
        "target": f"main: {key}",
    }
    about = ABOUT | {"key": key}
    intent = audit.record(None, outcome="started", details=about, **given).sequence
    changed = {"fields": {"label": ['"Ada"', '"Lady Ada"'], "channel": ["", '"signal"']}}
    after = about | {"intent": intent, "change": 12} | changed
    return intent, audit.record(
        None, outcome=outcome, reason="it was wrong", details=after, **given
    ).sequence


def rows(client: Client, query: str = "") -> list[int]:
    """The numbers of the events that a page lists."""
    return [
        int(n) for n in re.findall(r'<tr id="event-(\d+)"', client.get(f"/audit/?{query}").text)
    ]


def row(client: Client, number: int, query: str = "") -> str:
    text = client.get(f"/audit/?{query}").text
    found = re.search(rf'<tr id="event-{number}".*?</tr>', text, re.DOTALL)
    assert found
    return found[0]


def tamper(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


# --- What is shown -------------------------------------------------------------------------------


def test_a_row_has_everything_that_was_written_down(admin_client: Client) -> None:
    _intent, number = edited()
    shown = row(admin_client, number)
    for text in (
        *("bob", "operator", "192.0.2.7", "session.edit", f"main: {KEY}", "done", "it was wrong"),
        *("req-1", "label", "&quot;Ada&quot;", "&quot;Lady Ada&quot;", "not set"),
    ):
        assert text in shown


def test_an_intent_is_shown_inside_its_outcome(admin_client: Client) -> None:
    intent, number = edited()
    assert intent not in rows(admin_client)
    assert f'href="/audit/{intent}/"' in row(admin_client, number)


def test_an_intent_without_outcome_is_said(admin_client: Client) -> None:
    number = audit.record(None, by=actor(), action="session.edit", outcome="started").sequence
    assert "no outcome recorded" in row(admin_client, number)
    edited()
    assert "no outcome recorded" in admin_client.get(f"/audit/{number}/").text


def test_an_intent_alone_on_its_page_names_its_outcome(admin_client: Client) -> None:
    intent, number = edited("refused")
    shown = row(admin_client, intent, "outcome=started")
    assert "then refused" in shown
    assert f'href="/audit/{number}/"' in shown


def test_an_outcome_without_the_number_of_its_intent_is_found_by_its_request(
    admin_client: Client,
) -> None:
    for target in ("one", "two"):
        audit.record(None, by=actor(), action="bulk", target=target, outcome="started")
    for target in ("two", "one"):
        audit.record(None, by=actor(), action="bulk", target=target)
    listed = rows(admin_client)
    assert [n for n in listed if "bulk" in row(admin_client, n)] == sorted(listed)[-2:][::-1]


def test_outcomes_of_other_requests_are_not_taken(admin_client: Client) -> None:
    started = audit.record(None, by=actor(), action="bulk", outcome="started").sequence
    audit.record(None, by=actor(request_id="req-2"), action="bulk")
    assert "no outcome recorded" in row(admin_client, started)


def test_events_without_a_person_say_so(admin_client: Client, client: Client) -> None:
    client.post("/login/", {"username": "mallory", "password": "x"})
    number = AuditEvent.objects.latest("sequence").sequence
    assert "nobody signed in" in row(admin_client, number)
    machine = audit.record(None, action="housekeeping").sequence
    assert "the machine" in row(admin_client, machine)


def test_hostile_text_is_text_and_nothing_else(admin_client: Client) -> None:
    by = actor(MARKUP, role="<b>", address="203.0.113.9", request_id="<i>x</i>")
    details = {MARKUP: MARKUP, "why": MARKUP, "fields": {MARKUP: [MARKUP, MARKUP]}}
    number = audit.record(
        None, by=by, action=MARKUP, target=MARKUP, outcome=MARKUP, reason=MARKUP, details=details
    ).sequence
    for address in ("/audit/", f"/audit/{number}/", f"/audit/?person={MARKUP}&q={MARKUP}"):
        text = admin_client.get(address).text
        assert "<script>window" not in text
        assert "<img" not in text
        assert "&lt;script&gt;window.broken" in text


def test_secrets_in_reasons_and_targets_are_stored_masked(admin_client: Client) -> None:
    secret = "ghp_" + "a1B2" * 9
    event = audit.record(
        None, action="test", target=secret, reason=f"for {secret}", details={secret: [secret]}
    )
    assert secret not in f"{event.target}{event.reason}{event.details}"


def test_details_in_unexpected_forms_are_shown(admin_client: Client) -> None:
    odd: list[dict[str, Any]] = [
        {"fields": ["label"], "more": "many", "change": "x", "intent": True},
        {
            "fields": {"a": "b", "c": [1, 2, 3], "d": [None, {"e": 1}]},
            "change": -1,
            "intent": 10**30,
        },
    ]
    for details in odd:
        number = audit.record(None, action="odd", details=details).sequence
        assert admin_client.get(f"/audit/{number}/").status_code == 200
        assert number in rows(admin_client)


def test_an_event_has_its_own_page(admin_client: Client) -> None:
    intent, number = edited()
    text = admin_client.get(f"/audit/{number}/").text
    event = AuditEvent.objects.get(pk=number)
    for shown in (KEY, event.hash, event.previous_hash, f"/audit/{intent}/", "Lady Ada"):
        assert shown in text
    assert f"/audit/{number}/" in admin_client.get(f"/audit/{intent}/").text


@pytest.mark.parametrize("number", ["0", "999", "9223372036854775808", "1" * 40])
def test_an_event_that_is_not_there_is_not_found(admin_client: Client, number: str) -> None:
    assert admin_client.get(f"/audit/{number}/").status_code == 404


def test_a_change_links_to_its_undo(admin_client: Client) -> None:
    _intent, number = edited()
    assert 'href="/undo/12/"' in row(admin_client, number)
    assert 'href="/undo/12/"' in admin_client.get(f"/audit/{number}/").text


def test_an_empty_log_says_what_will_be_in_it(admin_client: Client) -> None:
    tamper("DELETE FROM dashboard_auditevent")
    tamper("DELETE FROM dashboard_audithead")
    assert "No events yet" in admin_client.get("/audit/").text


# --- Filters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        *("person=bob", "action=session.edit", "outcome=refused", "address=192.0.2.7"),
        *("address=::ffff:192.0.2.7", "request=req-1", "target=telegram:direct:ADA"),
        *(f"key={KEY}", "store=main", "store=a1b2c3d4e5f6", "q=lady+ada", "q=REQ-1"),
        *("q=signal&person=bob&outcome=refused", "q=it+was+wrong"),
    ],
)
def test_filters_narrow_the_log(admin_client: Client, query: str) -> None:
    _intent, number = edited("refused")
    other = actor("carol", address="198.51.100.1", request_id="req-9")
    audit.record(None, by=other, action="other", target="x", outcome="failed")
    assert rows(admin_client, query) == [number]


def test_a_key_is_compared_whole(admin_client: Client) -> None:
    edited(key=f"{KEY}x")
    assert rows(admin_client, f"key={KEY}") == []


def test_a_text_with_signs_of_patterns_is_taken_as_it_is(admin_client: Client) -> None:
    number = audit.record(None, action="test", reason="100% of a_b\\c").sequence
    audit.record(None, action="test", reason="100x of aXb")
    assert rows(admin_client, "q=100%25+of") == [number]
    assert rows(admin_client, "q=a_b%5Cc") == [number]


def test_letters_of_any_script_are_found_in_details(admin_client: Client) -> None:
    number = audit.record(None, action="test", details={"why": "ключ 鍵"}).sequence
    assert rows(admin_client, "q=ключ+鍵") == [number]


def test_times_narrow_the_log(admin_client: Client) -> None:
    edited()
    assert rows(admin_client, "after=1h") == rows(admin_client)
    assert rows(admin_client, "before=1h") == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("after=soon", "Write a date"),
        ("address=zz", "Write an address"),
        ("request=%3Cb%3E", "Write a request id"),
        ("outcome=odd", "It was left out"),
        ("below=x", "It was left out"),
        ("bogus=1", "means nothing here and was left out: bogus"),
    ],
)
def test_bad_input_is_told_and_left_out(admin_client: Client, query: str, told: str) -> None:
    edited()
    assert told in admin_client.get(f"/audit/?{query}").text
    assert rows(admin_client, query) == rows(admin_client)


def test_actions_that_occur_can_be_chosen(admin_client: Client) -> None:
    edited()
    text = admin_client.get("/audit/").text
    assert re.findall(r"<option>([\w.]+)</option>", text) == ["login", "session.edit"]


def test_filters_that_are_on_can_be_taken_out_one_by_one(admin_client: Client) -> None:
    text = admin_client.get("/audit/?person=nobody&q=x&below=4").text
    assert "No event matches" in text
    assert 'href="/audit/?q=x"' in text
    assert 'href="/audit/?person=nobody"' in text


def test_htmx_gets_the_list_without_its_form(admin_client: Client) -> None:
    part = admin_client.get("/audit/?q=", headers={"HX-Request": "true", "HX-Trigger": "filters"})
    assert part.text.lstrip().startswith('<div id="audit-view"')
    assert part["HX-Replace-Url"] == "/audit/"
    assert "HX-Request" in part["Vary"]


# --- The check -----------------------------------------------------------------------------------


def test_a_check_says_that_the_chain_is_unbroken_and_when(
    admin_client: Client, alice: User
) -> None:
    edited()
    assert "Not checked yet" in admin_client.get("/audit/").text
    answer = admin_client.post("/audit/verify/", follow=True)
    assert re.search(r"<strong>Unbroken</strong>, 3 events, .*checked.*by alice", answer.text)
    checked = AuditEvent.objects.get(action="audit.verify")
    assert (checked.outcome, checked.actor) == ("done", "alice")


def test_htmx_gets_the_state_in_place(admin_client: Client) -> None:
    part = admin_client.post("/audit/verify/", headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<section id="audit-chain"')
    assert "Unbroken" in part


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE dashboard_auditevent SET actor = 'mallory' WHERE sequence = 2", "event 2 was"),
        ("DELETE FROM dashboard_auditevent WHERE sequence = 2", "events 2 to 2 are missing"),
        ("UPDATE dashboard_auditevent SET at = 'garbage' WHERE sequence = 2", "event 2 was"),
        ("UPDATE dashboard_auditevent SET sequence = -4 WHERE sequence = 2", "event -4 was never"),
        ("DELETE FROM dashboard_audithead", "stand beyond the end"),
    ],
)
def test_tampering_is_named_on_the_page(admin_client: Client, statement: str, named: str) -> None:
    edited()
    tamper(statement)
    text = admin_client.post("/audit/verify/", follow=True).text
    assert re.search(r"<strong>Broken in \d places?</strong>", text)
    assert named in text


def test_a_broken_chain_is_an_event_too(admin_client: Client) -> None:
    edited()
    tamper("UPDATE dashboard_auditevent SET actor = 'mallory' WHERE sequence = 2")
    part = admin_client.post("/audit/verify/", headers={"HX-Request": "true"}).text
    assert 'href="/audit/2/"' in part
    assert AuditEvent.objects.get(action="audit.verify").outcome == "failed"


def test_a_result_that_cannot_be_written_is_shown_all_the_same(admin_client: Client) -> None:
    edited()
    tamper("DELETE FROM dashboard_audithead")
    for headers in ({}, {"HX-Request": "true"}):
        text = admin_client.post("/audit/verify/", headers=headers).text
        assert "events 1 to 3 stand beyond the end of the chain" in text
        assert "could not be written to the log" in text


def test_an_altered_event_is_marked_without_a_check(admin_client: Client) -> None:
    _intent, number = edited()
    tamper(f"UPDATE dashboard_auditevent SET reason = 'x' WHERE sequence = {number}")
    assert "altered" in row(admin_client, number)
    text = admin_client.get(f"/audit/{number}/").text
    assert "What it says now is not what its hash was made of" in text


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", "garbage"), ("details", b"\xff"), ("details", "[]"), ("target", 5), ("hash", "x")],
)
def test_an_event_that_cannot_be_read_breaks_no_page(
    admin_client: Client, column: str, value: object
) -> None:
    _intent, number = edited()
    tamper(f"UPDATE dashboard_auditevent SET {column} = %s WHERE sequence = {number}", value)
    assert "altered" in row(admin_client, number)
    assert admin_client.get(f"/audit/{number}/").status_code == 200
    assert admin_client.get("/audit.json").getvalue()
    assert admin_client.get("/audit.csv").getvalue()


def test_a_replaced_event_does_not_follow(admin_client: Client) -> None:
    _intent, number = edited()
    edited()
    event = AuditEvent.objects.get(pk=number)
    event.reason = "rewritten"
    statement = (
        "UPDATE dashboard_auditevent SET reason = 'rewritten', hash = %s WHERE sequence = %s"
    )
    tamper(statement, event.computed_hash(), number)
    text = admin_client.get(f"/audit/{number + 1}/").text
    assert "does not follow the one before" in text


def test_an_altered_record_of_the_last_check_is_no_proof(admin_client: Client) -> None:
    admin_client.post("/audit/verify/")
    tamper("""UPDATE dashboard_auditevent SET details = '{"events": 99, "broken": 0, "breaks": 5}'
              WHERE action = 'audit.verify'""")
    text = admin_client.get("/audit/").text
    assert "<strong>Broken</strong>" in text
    assert "Unbroken" not in text


def test_a_long_chain_is_checked_in_parts(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited()
    edited()
    monkeypatch.setattr(audit_chain, "_AT_ONCE", 2)
    monkeypatch.setattr(audit_checks, "PART_S", 0)
    page = admin_client.post("/audit/verify/")
    shown = []
    while page.status_code == 200:
        found = re.search(r"Checked (\d+) of (\d+) events so far", page.text)
        state = re.search(r'name="state" value="([^"]+)"', page.text)
        assert found
        assert state
        shown.append((found[1], found[2]))
        page = admin_client.post("/audit/verify/", {"state": state[1]})
    assert shown == [("2", "5"), ("4", "5")]
    assert AuditEvent.objects.get(action="audit.verify").outcome == "done"


def test_a_forged_state_of_a_check_starts_it_anew(admin_client: Client) -> None:
    edited()
    tamper("UPDATE dashboard_auditevent SET actor = 'mallory' WHERE sequence = 2")
    admin_client.post("/audit/verify/", {"state": "eyJmaW5pc2hlZCI6dHJ1ZX0:forged:forged"})
    assert AuditEvent.objects.get(action="audit.verify").outcome == "failed"


def test_events_added_since_the_check_are_counted(admin_client: Client) -> None:
    admin_client.post("/audit/verify/")
    edited()
    assert "2 events were added since" in admin_client.get("/audit/").text


def test_a_chain_can_be_checked_in_read_only_mode(admin_client: Client, settings: Any) -> None:
    settings.READ_ONLY = True
    assert admin_client.post("/audit/verify/").status_code == 302
    assert AuditHead.objects.get().sequence == 2


@pytest.mark.parametrize("path", ["/audit/", "/audit.json", "/audit.csv", "/audit/1/"])
def test_the_log_is_for_admins(operator_client: Client, path: str) -> None:
    assert operator_client.get(path).status_code == 403
