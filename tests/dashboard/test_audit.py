"""The audit log: what is written, that it has no gap, and that tampering is found and named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from dashboard import audit, audit_triggers
from dashboard.models import AuditEvent, AuditHead
from dashboard.models.audit import GENESIS, AppendOnlyError
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\r\n2026 info forged\x1b[2J\u202e\x00\ud800"


def write(count: int) -> None:
    for number in range(count):
        audit.record(None, action="test", target=f"item {number}")


def run_verify(**options: Any) -> str:
    out = StringIO()
    call_command("verify_audit", stdout=out, **options)
    return out.getvalue()


def breaks() -> list[str]:
    return list(audit.verify())


def tamper(statement: str, *values: Any) -> None:
    """Change rows as someone with the database file in hand would."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


# --- Writing -------------------------------------------------------------------------------------


def test_events_are_chained_from_the_first() -> None:
    write(3)
    first, second, third = AuditEvent.objects.all()
    assert [first.sequence, second.sequence, third.sequence] == [1, 2, 3]
    assert first.previous_hash == GENESIS
    assert [second.previous_hash, third.previous_hash] == [first.hash, second.hash]
    head = AuditHead.objects.get()
    assert (head.sequence, head.hash) == (3, third.hash)


def test_an_event_names_person_role_address_and_request(client: Client, alice: User) -> None:
    response = client.post(
        "/login/", {"username": "alice", "password": PASSWORD}, REMOTE_ADDR="::ffff:192.0.2.7"
    )
    event = AuditEvent.objects.get()
    assert (event.actor, event.actor_id, event.role) == ("alice", alice.pk, "admin")
    assert (event.action, event.outcome) == ("login", "done")
    assert event.address == "192.0.2.7"
    assert event.request_id == response["X-Request-ID"]


def test_sign_ins_and_sign_outs_and_failures_are_recorded(client: Client, carol: User) -> None:
    client.post("/login/", {"username": "nobody", "password": "x"})
    client.post("/login/", {"username": "carol", "password": PASSWORD})
    client.post("/logout/")
    events = list(AuditEvent.objects.values_list("action", "actor", "target", "outcome"))
    assert events == [
        ("login", "", "nobody", "failed"),
        ("login", "carol", "", "done"),
        ("logout", "carol", "", "done"),
    ]


def test_hostile_text_is_stored_on_one_printable_line() -> None:
    event = audit.record(
        None,
        action="test",
        target=HOSTILE * 100,
        reason=HOSTILE,
        details={HOSTILE: [HOSTILE, {"n": 1, HOSTILE: None}]},
    )
    event.refresh_from_db()
    stored = event.target + event.reason + event.details
    assert stored.isprintable()
    assert len(event.target) == 500
    assert "\\x1b[2J\\u202e\\x00\\ud800" in event.reason
    assert json.loads(event.details)
    assert breaks() == []


def test_a_failed_sign_in_stores_hostile_names_as_plain_text(client: Client) -> None:
    client.post("/login/", {"username": HOSTILE[:40], "password": "x"})
    assert AuditEvent.objects.get().target.isprintable()
    assert breaks() == []


def test_details_that_are_too_long_are_refused() -> None:
    with pytest.raises(ValueError, match="name the items elsewhere"):
        audit.record(None, action="test", details={"items": ["x" * 1000] * 150})
    assert not AuditEvent.objects.exists()


def test_an_event_is_rolled_back_with_its_change() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        audit.record(None, action="test")
        raise RuntimeError
    write(1)
    assert AuditEvent.objects.get().sequence == 1


@pytest.mark.django_db(transaction=True)
def test_sequences_have_no_gap_with_many_writers_at_once() -> None:
    def write_some(number: int) -> None:
        try:
            for _ in range(20):
                audit.record(None, action=f"writer {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_some, range(8)))
    assert list(AuditEvent.objects.values_list("sequence", flat=True)) == list(range(1, 161))
    assert breaks() == []


# --- Append only ---------------------------------------------------------------------------------


def test_the_model_refuses_changes_and_removals() -> None:
    write(1)
    event = AuditEvent.objects.get()
    with pytest.raises(AppendOnlyError):
        event.save()
    with pytest.raises(AppendOnlyError):
        event.delete()
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.all().delete()
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.update(reason="x")
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.bulk_update([event], ["reason"])


@pytest.fixture
def triggers(db: None) -> Iterator[None]:
    """Install what the migration installs and the other tests do without."""
    audit_triggers.install(None, connection.schema_editor())
    yield
    audit_triggers.remove(None, connection.schema_editor())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dashboard_auditevent SET reason = 'x'",
        "DELETE FROM dashboard_auditevent",
    ],
)
def test_the_database_refuses_changes_and_removals(triggers: None, statement: str) -> None:
    write(2)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        tamper(statement)
    write(1)
    assert breaks() == []


# --- Verifying -----------------------------------------------------------------------------------


def test_an_unbroken_chain_is_reported_with_its_end() -> None:
    assert "unbroken, 0 events" in run_verify()
    write(3)
    assert f"unbroken, 3 events; the end is 3:{AuditHead.objects.get().hash}" in run_verify()


COLUMNS = [field.name for field in AuditEvent._meta.fields if field.name != "sequence"]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_is_found_and_named(column: str) -> None:
    write(3)
    value: Any = {"at": "2020-01-01 00:00:00+00:00", "actor_id": 7}.get(column, "changed")
    tamper(f"UPDATE dashboard_auditevent SET {column} = %s WHERE sequence = 2", value)
    assert "event 2 was altered" in breaks()


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        ("sequence = 1", "events 1 to 1 are missing"),
        ("sequence IN (2, 3)", "events 2 to 3 are missing"),
        ("sequence = 5", "events 5 to 5 are missing from the end"),
        ("sequence > 0", "events 1 to 5 are missing from the end"),
    ],
)
def test_removed_events_are_named(removed: str, expected: str) -> None:
    write(5)
    tamper(f"DELETE FROM dashboard_auditevent WHERE {removed}")
    assert breaks() == [expected]


def test_an_altered_event_with_a_new_hash_breaks_the_link_after_it() -> None:
    write(3)
    event = AuditEvent.objects.get(sequence=2)
    event.reason = "rewritten"
    new_hash = event.computed_hash()
    tamper(
        "UPDATE dashboard_auditevent SET reason = 'rewritten', hash = %s WHERE sequence = 2",
        new_hash,
    )
    assert breaks() == ["event 3 does not follow event 2"]


def test_a_rewritten_chain_is_found_by_an_end_noted_earlier() -> None:
    write(2)
    head = AuditHead.objects.get()
    noted = f"{head.sequence}:{head.hash}"
    write(2)
    assert "unbroken" in run_verify(expect=(head.sequence, head.hash))
    tamper("DELETE FROM dashboard_auditevent")
    tamper("DELETE FROM dashboard_audithead")
    write(4)
    assert breaks() == []
    with pytest.raises(CommandError, match="broken in 1 place"):
        call_command("verify_audit", "--expect", noted, stdout=StringIO())


def test_verify_exits_non_zero_and_names_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    write(2)
    tamper("UPDATE dashboard_auditevent SET actor = 'mallory' WHERE sequence = 1")
    with pytest.raises(CommandError) as caught:
        call_command("verify_audit")
    assert caught.value.returncode == 1
    assert "event 1 was altered" in capsys.readouterr().out
