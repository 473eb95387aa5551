"""What the migration's pages and command say is true: of guards, of undoing, of what was not done
yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.models import Job, StorePlan
from dashboard.services import migration_work
from sessionstore.store import open_store
from tests.conftest import client_for
from tests.dashboard.migration.conftest import Legacy, entry, id_of, run_jobs
from tests.dashboard.migration.test_pages import checked, migrated, page_of, text_of
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_guarded_store_offers_no_mirror_and_says_why(
    admin_client: Client, legacy: Legacy
) -> None:
    legacy()
    page = page_of()
    migrated(admin_client, page, guard="on")
    text = text_of(admin_client, page)
    assert 'id="mirror-on"' not in text
    assert (
        "The guard in place of sessions.json keeps the programs out that a mirror is for." in text
    )


def test_a_store_in_the_old_layout_has_nothing_to_undo(
    admin_client: Client, legacy: Legacy
) -> None:
    legacy()
    page = page_of()
    text = text_of(admin_client, f"{page}undo/")
    assert "There is no migration to undo" in text
    assert "Nobody has looked yet what undoing would move back" not in text
    assert 'id="migration-check"' not in text


def test_undoing_promises_no_name_that_the_directory_does_not_get(
    admin_client: Client, legacy: Legacy
) -> None:
    legacy()
    page = page_of()
    migrated(admin_client, page)
    admin_client.post(f"{page}undo/check/")
    run_jobs()
    promised = StorePlan.objects.get(kind="rollback").summary["set_aside_as"]
    text = text_of(admin_client, f"{page}undo/")
    assert promised not in text
    assert "the directory stays as sessions.d.bak.&lt;time&gt;" in text


def test_the_guard_is_said_to_go_by_undoing_alone(admin_client: Client, legacy: Legacy) -> None:
    legacy()
    page = page_of()
    checked(admin_client, page)
    assert "Undoing takes it away; an export does not." in text_of(admin_client, page)


def test_a_run_of_a_moment_is_not_promised_in_one_millisecond(
    admin_client: Client, legacy: Legacy
) -> None:
    legacy()
    page = page_of()
    checked(admin_client, page)
    assert "less than a second, from a measured sample of 3" in text_of(admin_client, page)


def test_one_finding_of_a_run_is_counted_as_one(admin_client: Client, legacy: Legacy) -> None:
    legacy(sessions={"agent:main:main": {"sessionId": "id-1"}, "agent:main:odd": "no entry"})
    page = page_of()
    migrated(admin_client, page)
    assert "1 findings" not in text_of(admin_client, page)


def test_a_file_that_came_back_beside_a_migrated_store_is_said_on_both_pages(
    admin_client: Client, legacy: Legacy
) -> None:
    legacy(sessions=3)
    page = page_of()
    migrated(admin_client, page)
    legacy(sessions={"agent:main:main": {"sessionId": "by an older program"}})
    text = text_of(admin_client, page)
    assert "A file of the old layout is there again" in text
    assert "Nothing needs your attention." not in text
    assert "not checked since" in text_of(admin_client, "/migration/")


def test_the_size_of_what_would_move_is_of_what_moves(admin_client: Client, legacy: Legacy) -> None:
    legacy(sessions=3)
    page = page_of()
    migrated(admin_client, page)
    late = {"agent:main:late": entry(1), "agent:main:direct:000001": {"sessionId": "other"}}
    legacy(sessions=late)
    kept = checked(admin_client, page)
    assert (kept.summary["counts"]["move"], kept.summary["counts"]["differs"]) == (1, 1)
    moving = [row for row in kept.sessions.all() if row.action == "move"]
    assert kept.summary["bytes"] == sum(row.size_bytes for row in moving)


def test_a_run_with_stores_of_others_is_told_without_a_way_to_its_job(
    admin_client: Client, carol: User, legacy: Legacy
) -> None:
    legacy("main")
    legacy("work")
    admin_client.post("/migration/check/")
    run_jobs()
    chosen = {f"digest-{plan.store_id}": plan.digest for plan in StorePlan.objects.all()}
    fields = {"store": [id_of("main"), id_of("work")], "reason": "Both", **chosen}
    assert admin_client.post("/migration/run/", fields).status_code == 302
    run_jobs()
    job = Job.objects.get(kind=migration_work.RUN)
    limit(carol, "work")
    for path in (page_of("work"), "/migration/"):
        assert f"/jobs/{job.pk}" in text_of(admin_client, path)
        assert f"/jobs/{job.pk}" not in text_of(client_for(carol), path)


def test_the_choice_for_several_stores_speaks_of_several(
    admin_client: Client, legacy: Legacy, state: Path
) -> None:
    legacy()
    (state / "openclaw.json").write_text("{}")
    checked(admin_client, page_of())
    text = text_of(admin_client, "/migration/")
    assert "I have read which programs read these stores, and migrate them all the same" in text


@pytest.mark.parametrize("step", ["migrate", "rollback"])
def test_a_dry_run_counts_what_would_be_done(
    sessions: Any,
    legacy: Legacy,
    step: str,
) -> None:
    legacy()
    if step == "rollback":
        sessions("migrate", "--all")
    _status, out = sessions(step, "--all", "--dry-run")
    assert out.splitlines()[-1] == "1 store: 1 would be done."


def test_the_command_lists_what_cannot_be_taken_over(
    sessions: Any,
    legacy: Legacy,
) -> None:
    legacy(sessions={"agent:main:ok": entry(1), "k" * 5000: entry(2)})
    for arguments in (("--dry-run",), ()):
        _status, out = sessions("migrate", "--all", *arguments)
        assert "not taken over: 'kkk" in out


def test_a_choice_missing_in_a_command_names_its_option(
    sessions: Any,
    legacy: Legacy,
    state: Path,
) -> None:
    legacy()
    (state / "openclaw.json").write_text("{}")
    _status, out = sessions("migrate", "--all")
    assert "--yes-i-know" in out


def test_a_refusal_of_the_command_is_told_in_sentences(
    sessions: Any,
    legacy: Legacy,
    tmp_path: Path,
) -> None:
    legacy()
    there = tmp_path / "there.json"
    there.write_text("{}")
    _status, said = sessions("export", "--agent", "main", "--to", str(there))
    assert "exists already. Next: nothing was written; choose a new name." in said


def test_undoing_the_only_session_speaks_of_one(sessions: Any, legacy: Legacy) -> None:
    path = legacy(sessions=1)
    sessions("migrate", "--all")
    with open_store(path) as store:
        assert len(store.keys()) == 1
    _status, out = sessions("rollback", "--all", "--dry-run")
    assert "1 session as it is now would be written" in out
