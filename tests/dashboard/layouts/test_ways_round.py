"""Every other way to a change: plans, jobs, the API, restores, the check of figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard import tokens
from dashboard.acting import Actor
from dashboard.models import Change, Job
from dashboard.services.backup_asking import ask_backup, ask_newest_drill
from dashboard.services.backup_catalogue import catalogue
from dashboard.services.check_figures import figures_of
from dashboard.services.fleet import fleet
from dashboard.services.migration_command import NOTHING, OK
from dashboard.services.problems import ProblemError
from dashboard.services.stores import list_stores
from dashboard.services.tidy_asking import ask_plan
from dashboard.services.tidy_command import planned as planned_by_command
from sessionstore.backup import create_backup, plan_restore, restore
from sessionstore.errors import UnsupportedStoreError
from sessionstore.maintenance import MaintenancePolicy
from sessionstore.store import open_store
from tests.dashboard.bulk.pages import planned, text_of
from tests.dashboard.layouts.conftest import ADA, Era, entry
from tests.sessionstore.sqlitestore.databases import make, store_file

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor(name="alice", role="admin", agents=None, via="page", user_id=alice.pk)


@pytest.mark.parametrize("action", ["archive", "unarchive", "delete"])
def test_a_plan_leaves_its_sessions_out_with_the_reason(
    era: Era, admin_client: Any, action: str
) -> None:
    plan = planned(admin_client, "/sessions/?agent=main", action=action)
    text = text_of(admin_client, plan)
    assert "which is only read here" in text
    assert f'action="{plan}apply/"' not in text
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("PATCH", "", {"fields": {"label": "x"}}),
        ("DELETE", "", None),
        ("POST", "/archive", {}),
        ("POST", "/reset", {}),
        ("POST", "/set-field", {"name": "label", "value": "x"}),
    ],
)
def test_the_api_refuses_and_says_why(
    era: Era, alice: User, client: Any, method: str, suffix: str, body: Any
) -> None:
    token = tokens.issue(alice, name="t", role="admin")
    headers = {"Authorization": f"Bearer {token}"}
    place = f"/api/v1{era.session().rstrip('/')}"
    seen = client.get(place, headers=headers)
    assert seen.status_code == 200
    before = era.database().read_bytes()
    content = b"" if body is None else json.dumps(body).encode()
    answer = client.generic(
        method,
        place + suffix,
        content,
        "application/json",
        headers=headers | {"If-Match": seen["ETag"]},
    )
    assert answer.status_code == 409, answer.content
    assert "only read" in answer.json()["detail"]
    assert era.database().read_bytes() == before


def test_backups_of_all_stores_leave_it_out_and_of_it_alone_are_refused(
    era: Era, actor: Actor
) -> None:
    readers = {reader.name: reader for reader in fleet().refreshed().readers}
    job = ask_backup(actor, list(readers.values()), transcripts=False, reason="all")
    assert set(job.items.values_list("store_id", flat=True)) == {
        readers["both"].id,
        readers["new"].id,
    }
    for ask in (ask_newest_drill, lambda *all_: ask_backup(*all_, transcripts=False, reason="")):
        with pytest.raises(ProblemError, match="only read"):
            ask(actor, [readers["main"]])
    assert Job.objects.count() == 1


def test_a_backup_of_an_older_form_is_not_restored_over_the_database(tmp_path: Path) -> None:
    path = store_file(tmp_path)
    with open_store(path) as store:
        store.put(ADA, entry("ada"))
        backup = create_backup(store, reason="x", root=tmp_path / "backups")
    path.with_name("sessions.d").rename(tmp_path / "away")
    database = make(path.parent.parent / "agent" / "openclaw-agent.sqlite", {ADA: entry("new")})
    with open_store(path) as store:
        assert store.layout == "sqlite"
        plan = plan_restore(backup, store)
    before = database.read_bytes()
    with pytest.raises(UnsupportedStoreError, match="only read"):
        restore(plan)
    assert database.read_bytes() == before
    assert not path.with_name("sessions.d").exists()


def test_no_check_asks_for_what_such_a_store_cannot_have(era: Era, admin_client: Any) -> None:
    figures = figures_of(list_stores(), catalogue())
    stores = {row.id: row.name for row in list_stores().rows}
    about = {stores.get(figure.store_id) for figure in figures}
    assert "main" not in about
    assert {"both", "new"} <= about


def test_a_mirror_is_refused_and_an_export_of_it_is_not_a_change(
    era: Era, admin_client: Any
) -> None:
    store_id = era.store("main")["id"]
    before = era.database().read_bytes()
    answer = admin_client.post(f"/stores/{store_id}/migration/mirror/", {"step": "start"})
    assert answer.status_code in (404, 409, 422)
    assert era.database().read_bytes() == before
    assert not store_file(era.state).exists()


def test_a_clean_up_is_not_planned(era: Era, actor: Actor) -> None:
    reader = next(one for one in fleet().refreshed().readers if one.name == "main")
    with pytest.raises(ProblemError, match="only read"):
        ask_plan(actor, reader, MaintenancePolicy(orphan_retention_s=1))
    assert not Job.objects.exists()


def test_the_command_leaves_it_alone_and_does_the_others(era: Era) -> None:
    readers = {one.name: one for one in fleet().refreshed().readers}
    policy = MaintenancePolicy(orphan_retention_s=1)
    assert planned_by_command(readers["main"], policy).status == NOTHING
    assert planned_by_command(readers["new"], policy).status in (NOTHING, OK)
    assert planned_by_command(readers["main"], policy).outcome == "skipped"
