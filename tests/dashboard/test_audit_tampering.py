"""Tampering that reaches past the model: each is found, named, and ends no check early."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from dashboard import audit, audit_chain, audit_triggers
from dashboard.models import AuditEvent, AuditHead

pytestmark = pytest.mark.django_db

COPIED = (
    "at, actor, actor_id, role, address, action, target, outcome, reason, request_id, details,"
    " previous_hash"
)


@pytest.fixture(autouse=True)
def _events() -> None:
    for number in range(5):
        audit.record(None, action="test", target=f"item {number}")


@pytest.fixture
def triggers(db: None) -> Iterator[None]:
    """Install what the migration installs and the other tests do without."""
    audit_triggers.install(None, connection.schema_editor())
    yield
    audit_triggers.remove(None, connection.schema_editor())


def tamper(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def forge(sequence: int) -> None:
    """Add a copy of event 3 under another number."""
    tamper(
        f"INSERT INTO dashboard_auditevent (sequence, {COPIED}, hash)"
        f" SELECT %s, {COPIED}, %s FROM dashboard_auditevent WHERE sequence = 3",
        sequence,
        f"forged {sequence}",
    )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases check their columns")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "garbage"),
        ("at", 12345),
        ("at", "2026-99-99 10:00:00"),
        ("details", b"\xff\x00"),
        ("actor_id", "abc"),
        ("target", None),
        ("target", 5),
    ],
)
def test_a_column_of_another_type_is_an_altered_event(column: str, value: Any) -> None:
    if value is None:
        value = b"no text"
    tamper(f"UPDATE dashboard_auditevent SET {column} = %s WHERE sequence = 3", value)
    assert list(audit.verify()) == ["event 3 was altered"]


def test_a_forged_event_after_the_last_is_named() -> None:
    forge(6)
    found = list(audit.verify())
    assert "event 6 was altered" in found
    assert "events 6 to 6 stand beyond the end of the chain" in found


@pytest.mark.parametrize("sequence", [0, -7])
def test_a_forged_event_before_the_first_is_named(sequence: int) -> None:
    forge(sequence)
    assert list(audit.verify()) == [f"event {sequence} was never appended"]


def test_a_chain_whose_end_was_removed_is_not_unbroken() -> None:
    AuditHead.objects.all().delete()
    assert list(audit.verify()) == ["events 1 to 5 stand beyond the end of the chain"]


def test_an_end_that_was_set_back_is_found() -> None:
    second = AuditEvent.objects.get(sequence=2)
    AuditHead.objects.update(sequence=2, hash=second.hash)
    assert list(audit.verify()) == ["events 3 to 5 stand beyond the end of the chain"]


def test_events_appended_during_the_check_are_no_break(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_chain, "_AT_ONCE", 2)
    check = audit_chain.carry_on(audit_chain.begin(), budget_s=0)
    assert (check.sequence, check.finished) == (2, False)
    audit.record(None, action="test", target="meanwhile")
    check = audit_chain.carry_on(check, budget_s=60)
    assert (check.sequence, check.finished, check.broken) == (6, True, 0)


def test_a_check_in_parts_finds_what_a_whole_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    forge(-7)
    tamper("DELETE FROM dashboard_auditevent WHERE sequence = 2")
    tamper("UPDATE dashboard_auditevent SET reason = 'x' WHERE sequence = 4")
    forge(9)
    whole = list(audit.verify())
    monkeypatch.setattr(audit_chain, "_AT_ONCE", 1)
    check = audit_chain.begin()
    while not check.finished:
        check = audit_chain.carry_on(check, budget_s=0)
    assert [place.text for place in check.breaks] == whole
    assert len(whole) == check.broken == 6


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a statement of SQLite")
@pytest.mark.parametrize("same", ["sequence", "hash"])
def test_the_database_refuses_to_replace_an_event(triggers: None, same: str) -> None:
    chosen = "sequence, 'another'" if same == "sequence" else "9, hash"
    statement = (
        f"INSERT OR REPLACE INTO dashboard_auditevent ({COPIED}, sequence, hash)"
        f" SELECT {COPIED}, {chosen} FROM dashboard_auditevent WHERE sequence = 3"
    )
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        tamper(statement)
    assert list(audit.verify()) == []
