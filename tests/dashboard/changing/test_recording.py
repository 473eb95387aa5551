"""What is written down when the disk or the database fails before, in or after a change."""

from __future__ import annotations

import errno
import html
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from dashboard import audit
from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change
from dashboard.services import changing
from dashboard.services.problems import ProblemError
from sessionstore import FieldEdit, versions
from sessionstore.store import Store
from tests.dashboard.changing.conftest import KEY
from tests.sessionstore.faults import injected, onto_entry

pytestmark = pytest.mark.django_db

EDITS = [FieldEdit("label", "old", "new")]


def save(actor: Actor, store_id: str, **options: Any) -> changing.Saved:
    return changing.save(actor, store_id, KEY, EDITS, **options)


def outcomes() -> list[str]:
    return list(AuditEvent.objects.order_by("sequence").values_list("outcome", flat=True))


@contextmanager
def failing_statements(when: Callable[[str], bool]) -> Iterator[list[str]]:
    """Let statements of the database fail as on a full or broken disk."""
    failed: list[str] = []

    def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if when(sql):
            failed.append(sql)
            raise OperationalError("database or disk is full")
        return run(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield failed


def writing(table: str, *, after: int = 0) -> Callable[[str], bool]:
    """From the n-th insertion into a table on."""
    seen: list[str] = []

    def when(sql: str) -> bool:
        if sql.startswith(f'INSERT INTO "{table}"'):
            seen.append(sql)
        return len(seen) > after

    return when


@pytest.mark.django_db(transaction=True)
def test_a_database_that_fails_before_the_change_stops_it(
    store: Store, store_id: str, actor: Actor
) -> None:
    before = store.etag(KEY)
    with (
        failing_statements(writing("dashboard_auditevent")) as failed,
        pytest.raises(OperationalError),
    ):
        save(actor, store_id)
    assert failed
    assert store.etag(KEY) == before
    assert versions(store, KEY) == []
    assert outcomes() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["dashboard_change", "dashboard_auditevent"])
def test_a_database_that_fails_after_the_change_is_told_and_the_version_is_there(
    store: Store, store_id: str, actor: Actor, table: str
) -> None:
    after = 1 if table == "dashboard_auditevent" else 0
    with (
        failing_statements(writing(table, after=after)) as failed,
        pytest.raises(ProblemError) as caught,
    ):
        save(actor, store_id)
    assert failed
    problem = caught.value.problem
    assert problem.status == 500
    assert "was made" in problem.title
    assert "was changed" in problem.detail
    assert "versions" in problem.hint
    assert (store.get(KEY) or {})["label"] == "new"
    [version] = versions(store, KEY)
    assert (version.by, (version.entry or {})["label"]) == ("bob", "old")
    assert outcomes() == ["started"]
    assert not Change.objects.exists()  # never half of the outcome
    # It is not lost: what it replaced can be restored.
    changing.restore(
        actor, store_id, KEY, version.id, fields=["label"], opened_etag=store.etag(KEY) or ""
    )
    assert (store.get(KEY) or {})["label"] == "old"
    assert list(audit.verify()) == []


def test_a_disk_that_fails_before_the_entry_is_written_is_recorded_as_failed(
    store: Store, store_id: str, actor: Actor
) -> None:
    with injected("rename", errno.ENOSPC, when=onto_entry), pytest.raises(ProblemError) as caught:
        save(actor, store_id)
    assert caught.value.problem.status >= 500
    assert caught.value.problem.hint
    assert (store.get(KEY) or {})["label"] == "old"
    assert versions(store, KEY) == []
    assert outcomes() == ["started", "failed"]
    assert not Change.objects.exists()
    assert save(actor, store_id).change_id is not None


def test_a_change_that_could_not_be_made_durable_is_recorded_and_can_be_taken_back(
    store: Store, store_id: str, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[str] = []
    real = os.rename

    def noting(source: Any, target: Any, **rest: Any) -> None:
        real(source, target, **rest)
        renamed.append(str(target))

    def after_the_entry(*_: Any) -> bool:
        return bool(renamed) and not renamed[-1].endswith(".begun.json")

    monkeypatch.setattr(os, "rename", noting)
    with (
        injected("fsync", errno.EIO, when=after_the_entry) as fault,
        pytest.raises(ProblemError) as caught,
    ):
        save(actor, store_id)
    assert fault.struck
    assert caught.value.problem.status == 500
    assert "was made" in caught.value.problem.title
    assert os.strerror(errno.EIO) in caught.value.problem.detail
    assert (store.get(KEY) or {})["label"] == "new"
    assert outcomes() == ["started", "done"]
    [change] = Change.objects.all()
    changing.take_back(actor, change.pk)
    assert (store.get(KEY) or {})["label"] == "old"
    assert list(audit.verify()) == []


def test_a_change_of_which_nobody_can_tell_is_said_to_be_uncertain(
    store: Store, store_id: str, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[str] = []
    real = os.rename

    def noting(source: Any, target: Any, **rest: Any) -> None:
        real(source, target, **rest)
        renamed.append(str(target))

    def after_the_entry(*_: Any, **__: Any) -> bool:
        return bool(renamed) and not renamed[-1].endswith(".begun.json")

    monkeypatch.setattr(os, "rename", noting)
    with (
        injected("fsync", errno.EIO, when=after_the_entry),
        injected("read", errno.EIO, when=after_the_entry),
        pytest.raises(ProblemError) as caught,
    ):
        save(actor, store_id)
    assert "not certain" in caught.value.problem.title
    assert caught.value.problem.hint
    assert outcomes() == ["started", "failed"]
    assert not Change.objects.exists()
    [version] = versions(store, KEY)  # it was made, so it can be restored
    assert (version.entry or {})["label"] == "old"


def test_a_change_whose_version_is_swept_at_once_is_still_recorded(
    store: Store, store_id: str, actor: Actor, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.VERSIONS_KEPT = 1
    real, swept = os.unlink, []

    def remove_versions() -> None:
        for path in (store.paths.sidecar / "versions").glob("*/*.json"):
            real(path)
            swept.append(path)

    real_rename = os.rename

    def noting(source: Any, target: Any, **rest: Any) -> None:
        real_rename(source, target, **rest)
        if str(source).endswith(".begun.json"):
            remove_versions()

    monkeypatch.setattr(os, "rename", noting)
    saved = save(actor, store_id)
    assert swept
    assert saved.skipped == ""
    assert [(d.name, d.before, d.after) for d in saved.changed] == [("label", '"old"', '"new"')]
    assert outcomes() == ["started", "done"]
    assert saved.change_id is not None


@pytest.mark.parametrize("reason", ["\ud83d", "a\0b", "\x1b[31m", "x" * 2000, "two\nlines"])
def test_a_reason_may_be_any_text(store: Store, store_id: str, actor: Actor, reason: str) -> None:
    saved = save(actor, store_id, reason=reason)
    [change] = Change.objects.filter(version_id=saved.version_id)
    assert change.reason.isprintable()
    assert 0 < len(change.reason) <= 500
    [version] = versions(store, KEY)
    assert version.reason == change.reason
    assert outcomes() == ["started", "done"]


def test_a_secret_in_a_reason_is_stored_nowhere(store: Store, store_id: str, actor: Actor) -> None:
    secret = "sk-" + "ant-api03-" + "Zx81" * 12
    save(actor, store_id, reason=f"key {secret}")
    for text in (
        *Change.objects.values_list("reason", flat=True),
        *AuditEvent.objects.values_list("reason", flat=True),
        *(version.reason for version in versions(store, KEY)),
    ):
        assert secret not in text
        assert "key" in text


@pytest.mark.django_db(transaction=True)
def test_an_undo_and_what_it_undoes_are_recorded_together_or_not_at_all(
    store: Store, store_id: str, actor: Actor
) -> None:
    saved = save(actor, store_id)
    assert saved.change_id is not None
    update = 'UPDATE "dashboard_change"'
    with (
        failing_statements(lambda sql: sql.startswith(update)) as failed,
        pytest.raises(ProblemError) as caught,
    ):
        changing.take_back(actor, saved.change_id)
    assert failed
    assert caught.value.problem.status == 500
    assert (store.get(KEY) or {})["label"] == "old"
    assert Change.objects.filter(undoes_id=saved.change_id).count() == 0
    assert outcomes() == ["started", "done", "started"]
    # Once more: there is nothing left to do, and it ends well.
    assert changing.take_back(actor, saved.change_id).unchanged


def test_every_outcome_names_its_intent_and_its_change(
    store: Store, store_id: str, actor: Actor
) -> None:
    saved = save(actor, store_id)
    started, done = AuditEvent.objects.order_by("sequence")
    details = json.loads(done.details)
    assert details["intent"] == started.sequence
    assert details["change"] == saved.change_id
    assert details["fields"] == {"label": ['"old"', '"new"']}
    assert started.request_id == done.request_id == "request-1"


@pytest.mark.parametrize("name", ["ada", "sk-ant-" + "a1b2c3d4e5f6g7h8" * 2])
def test_session_and_audit_lead_to_each_other_though_the_key_is_masked(
    store: Store, store_id: str, actor: Actor, admin_client: Client, name: str
) -> None:
    key = f"agent:main:explicit:{name}"
    store.put(key, {"sessionId": "masked", "label": "old"})
    changing.save(actor, store_id, key, EDITS)
    event = f"/audit/{AuditEvent.objects.latest('sequence').pk}/"
    session = re.search(r'href="(/stores/[^"]+)">Open the session', admin_client.get(event).text)
    assert session
    audit_link = re.search(r'href="(/audit/[^"]+)">Audit<', admin_client.get(session[1]).text)
    assert audit_link
    assert event in admin_client.get(html.unescape(audit_link[1])).text
