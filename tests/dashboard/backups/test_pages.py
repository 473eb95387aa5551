"""The pages of backups: what they show in each state, what they refuse, and what starts."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.models import AuditEvent, Change, Job, StorePlan
from dashboard.services import restore_plans
from dashboard.services.backup_asking import ref_of
from dashboard.services.fleet import fleet
from sessionstore.backup import list_backups
from sessionstore.store import open_store
from tests.conftest import client_for
from tests.dashboard.backups.conftest import (
    entry,
    fill,
    id_of,
    key_of,
    last_job,
    newest,
    run_jobs,
    store_of,
    taken,
)
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db


def text_of(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content.decode()[:3000]
    return answer.content.decode()


def compared(client: Client, backup_id: str, **fields: Any) -> StorePlan:
    """Compare a backup with its store; what is kept of it."""
    answer = client.post(f"/backups/{backup_id}/compare/", fields)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    plan = StorePlan.objects.latest("pk")
    assert answer["Location"] == f"/backups/{backup_id}/compare/{plan.pk}/"
    return plan


# --- Empty, one, and what is said of it -----------------------------------------------------------


def test_no_backup_yet_offers_one_with_what_it_would_read(
    operator_client: Client, store: Path
) -> None:
    text = text_of(operator_client, "/backups/")
    assert "No backup yet" in text
    assert "3 sessions" in text
    assert 'id="first-backup"' in text


def test_a_viewer_is_told_who_may_take_one(viewer_client: Client, store: Path) -> None:
    text = text_of(viewer_client, "/backups/")
    assert "Taking one asks for the role operator." in text
    assert 'id="first-backup"' not in text


def test_a_backup_is_taken_shown_and_on_record(operator_client: Client, store: Path) -> None:
    kept = taken(operator_client)
    assert (kept.backup.sessions, kept.backup.reason) == (3, "Before the move")
    assert kept.backup.by.startswith("bob, job ")
    text = text_of(operator_client, "/backups/")
    assert "Every store has a sound backup." in text
    assert f"/backups/{kept.backup.id}/" in text
    page = text_of(operator_client, f"/backups/{kept.backup.id}/")
    assert key_of(2) in page
    actions = AuditEvent.objects.filter(action="backup.create").values_list("outcome", flat=True)
    assert list(actions.order_by("sequence")) == ["started", "done"]


def test_the_twins_tell_the_same_without_digests_of_entries(
    operator_client: Client, store: Path
) -> None:
    kept = taken(operator_client)
    listed = json.loads(text_of(operator_client, "/backups.json"))
    assert [one["id"] for one in listed["backups"]] == [kept.backup.id]
    assert listed["without"] == []
    one = json.loads(b"".join(operator_client.get(f"/backups/{kept.backup.id}.json")))
    assert [session["key"] for session in one["content"]] == [key_of(n) for n in range(3)]
    assert set(one["content"][0]) == {"key", "size_bytes"}
    csv = b"".join(operator_client.get("/backups.csv")).decode()
    assert csv.splitlines()[1].startswith(f"{kept.backup.id},main,")


def test_a_selection_holds_only_the_session_that_was_picked(
    operator_client: Client, store: Path
) -> None:
    text = text_of(operator_client, "/sessions/")
    ref = next(part for part in text.split('"') if part.startswith(f"/stores/{id_of()}/sessions/"))
    session = ref.strip("/").split("/")[-1]
    answer = operator_client.post(f"/backups/new/?session={id_of()}-{session}", {})
    assert answer.status_code == 302
    run_jobs()
    assert (newest().backup.scope, newest().backup.sessions) == ("selection", 1)
    assert "No backup yet" not in text_of(operator_client, "/backups/")
    assert "1 store has no sound backup." in text_of(operator_client, "/backups/")


def test_the_calendar_and_the_filters_are_in_the_address(
    operator_client: Client, store: Path
) -> None:
    kept = taken(operator_client)
    day = f"{kept.backup.id[:4]}-{kept.backup.id[4:6]}-{kept.backup.id[6:8]}"
    text = text_of(operator_client, f"/backups/?day={day}")
    assert f'id="day-{day}"' in text
    assert kept.backup.id in text
    assert "No backup matches" in text_of(operator_client, "/backups/?state=held")
    assert "No backup matches" in text_of(operator_client, "/backups/?day=2001-01-01")
    assert "January 2001" in text_of(operator_client, "/backups/?month=2001-01")
    for odd in ("month=0001-01", "month=9999-12", "month=x", "day=x", "page=99999999", "page=-1"):
        assert text_of(operator_client, f"/backups/?{odd}")


# --- Checking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "depth"),
    [
        ({"depth": "structure"}, "structure"),
        ({"depth": "part", "part": "2", "parts": "3"}, "part"),
        ({"depth": "everything"}, "everything"),
    ],
)
def test_a_backup_is_verified_as_deep_as_was_asked(
    operator_client: Client, store: Path, fields: dict[str, str], depth: str
) -> None:
    kept = taken(operator_client)
    page = f"/backups/{kept.backup.id}/"
    assert operator_client.post(f"{page}verify/", fields).status_code == 302
    run_jobs()
    assert newest().backup.verified_depth == depth
    assert "What was checked" in text_of(operator_client, page)


def test_a_part_beyond_the_last_is_refused(operator_client: Client, store: Path) -> None:
    kept = taken(operator_client)
    fields = {"depth": "part", "part": "4", "parts": "3"}
    answer = operator_client.post(f"/backups/{kept.backup.id}/verify/", fields)
    assert answer.status_code == 422
    assert "Say which part of how many" in answer.content.decode()


def test_a_turned_bit_fails_the_job_and_is_said_on_every_page(
    operator_client: Client, store: Path
) -> None:
    kept = taken(operator_client)
    damaged = bytearray(kept.backup.path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    kept.backup.path.write_bytes(damaged)
    operator_client.post(f"/backups/{kept.backup.id}/verify/", {"depth": "everything"})
    run_jobs()
    [item] = last_job().items.all()
    assert item.state == "failed"
    assert item.message.startswith("Damaged: ")
    assert "damaged" in text_of(operator_client, "/backups/?state=damaged")
    assert "It cannot be used as it is" in text_of(operator_client, f"/backups/{kept.backup.id}/")


def test_a_trial_restore_proves_it(operator_client: Client, store: Path) -> None:
    kept = taken(operator_client)
    operator_client.post(f"/backups/{kept.backup.id}/verify/", {"depth": "drill"})
    run_jobs()
    assert newest().backup.proven_ms is not None
    assert "Proven: it was restored on trial" in text_of(
        operator_client, f"/backups/{kept.backup.id}/"
    )


# --- Holding, deleting, handing out ---------------------------------------------------------------


def test_a_held_backup_is_not_deleted(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    page = f"/backups/{kept.backup.id}/"
    assert admin_client.post(f"{page}hold/", {"held": "yes"}).status_code == 302
    assert newest().backup.held
    fields = {"typed": kept.backup.id, "reason": "Old", "confirm_password": ""}
    assert admin_client.post(f"{page}delete/", fields).status_code == 409
    assert admin_client.post(f"{page}hold/", {"held": "no"}).status_code == 302
    assert admin_client.post(f"{page}delete/", fields).status_code == 302
    assert list_backups(store / ".sessionstore" / "backups") == []
    outcomes = AuditEvent.objects.filter(action="backup.delete").order_by("sequence")
    assert [event.outcome for event in outcomes] == ["started", "failed", "started", "done"]


def test_deleting_asks_for_the_id(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    answer = admin_client.post(
        f"/backups/{kept.backup.id}/delete/", {"typed": "something", "reason": "Old"}
    )
    assert answer.status_code == 422
    assert "This is not the id of the backup." in answer.content.decode()
    assert newest().backup.path.exists()


def test_a_download_is_the_archive_as_an_attachment_on_record(
    admin_client: Client, store: Path
) -> None:
    kept = taken(admin_client)
    answer = admin_client.post(f"/backups/{kept.backup.id}/download/", {"reason": "Off site"})
    content = b"".join(answer)
    assert content == kept.backup.path.read_bytes()
    assert answer["Content-Disposition"].startswith('attachment; filename="sessions-main-')
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "no-store"
    assert int(answer["Content-Length"]) == len(content)
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        names = archive.getnames()
    assert names[0] == "manifest.json"
    assert sum(name.startswith("sessions/") for name in names) == 3
    outcomes = AuditEvent.objects.filter(action="backup.download").order_by("sequence")
    assert [event.outcome for event in outcomes] == ["started", "done"]


# --- Restoring ------------------------------------------------------------------------------------


def test_a_comparison_names_what_changed_came_and_went(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another"})
        opened.delete(key_of(1))
        opened.put(key_of(9), entry(9))
    plan = compared(admin_client, kept.backup.id)
    assert plan.summary["counts"] == {
        "changed": 1,
        "created": 1,
        "removed": 1,
        "unusable": 0,
        "unchanged": 1,
    }
    page = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    text = text_of(admin_client, page)
    assert "The store goes back in time; the outside world does not." in text
    assert "First an automatic backup of everything is taken" in text
    shown = text_of(admin_client, f"{page}?show=1")
    assert "Another" in shown
    assert "Person 0" in shown
    told = json.loads(b"".join(admin_client.get(f"{page.rstrip('/')}.json")))
    assert {one["key"]: one["action"] for one in told["sessions"]}[key_of(9)] == "removed"


def test_a_secret_is_masked_on_both_sides_of_a_difference(
    admin_client: Client, store: Path
) -> None:
    secrets = ("sk-ant-api03-" + "a" * 40, "sk-ant-api03-" + "b" * 40)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"apiKey": secrets[0]})
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"apiKey": secrets[1]})
    plan = compared(admin_client, kept.backup.id, session=ref_of(key_of(0)))
    text = text_of(admin_client, f"/backups/{kept.backup.id}/compare/{plan.pk}/")
    assert "they differ, and are masked" in text
    assert not [one for one in secrets if one in text]


def test_everything_is_restored_to_a_new_place(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    fields = {"name": "look-at-it", "reason": "To look"}
    answer = admin_client.post(f"/backups/{kept.backup.id}/place/", fields)
    assert answer.status_code == 302
    run_jobs()
    with open_store(store.parent / "restored" / "look-at-it" / "sessions.json") as restored:
        assert restored.load() == {key_of(n): entry(n) for n in range(3)}
    assert "look-at-it" in last_job().items.get().message


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "A", "x" * 81, "a\n", "a\0b"])
def test_a_place_is_a_name_and_never_a_path(admin_client: Client, store: Path, name: str) -> None:
    kept = taken(admin_client)
    jobs = Job.objects.count()
    answer = admin_client.post(
        f"/backups/{kept.backup.id}/place/", {"name": name, "reason": "To look"}
    )
    assert answer.status_code == 422
    assert Job.objects.count() == jobs


def test_one_session_is_restored_in_place_and_undone(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another"})
        opened.patch(key_of(1), {"label": "Left alone"})
    plan = compared(admin_client, kept.backup.id, session=ref_of(key_of(0)))
    page = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    fields = {"digest": plan.digest, "reason": "It was better"}
    assert admin_client.post(f"{page}restore/", fields).status_code == 302
    run_jobs()
    assert last_job().items.get().state == "done", last_job().items.get().message
    with store_of(store) as opened:
        assert opened.get(key_of(0))["label"] == "Person 0"  # type: ignore[index]
        assert opened.get(key_of(1))["label"] == "Left alone"  # type: ignore[index]
    change = Change.objects.get()
    assert (change.action, change.job_id) == ("restore", last_job().pk)
    assert set(change.fields) == {"label", "updatedAt"}
    seen = re.search(r'name="seen" value="([^"]*)"', text_of(admin_client, f"/undo/{change.pk}/"))
    assert seen
    answer = admin_client.post(f"/undo/{change.pk}/undo/", {"seen": seen[1]})
    assert answer.status_code in (200, 302)
    with store_of(store) as opened:
        assert opened.get(key_of(0))["label"] == "Another"  # type: ignore[index]


def test_only_the_chosen_field_is_restored(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another", "model": "new-model"})
    ref = ref_of(key_of(0))
    plan = compared(admin_client, kept.backup.id, session=ref, field="label")
    assert plan.summary["fields"] == ["label"]
    page = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    fields = {"digest": plan.digest, "reason": "Its name"}
    assert admin_client.post(f"{page}restore/", fields).status_code == 302
    run_jobs()
    with store_of(store) as opened:
        now = opened.get(key_of(0))
    assert now is not None
    assert (now["label"], now["model"]) == ("Person 0", "new-model")


def test_a_store_that_moved_is_not_restored_over(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another"})
    plan = compared(admin_client, kept.backup.id)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "A writer was here"})
    fields = {"digest": plan.digest, "reason": "Back", "typed": "main"}
    page = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    assert admin_client.post(f"{page}restore/", fields).status_code == 302
    run_jobs()
    [item] = last_job().items.all()
    assert (item.state, item.report["why"]) == ("failed", "moved")
    with store_of(store) as opened:
        assert opened.get(key_of(0))["label"] == "A writer was here"  # type: ignore[index]


def test_everything_in_place_asks_for_the_name_and_keeps_what_was_there(
    admin_client: Client, store: Path
) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.put(key_of(9), entry(9))
    plan = compared(admin_client, kept.backup.id)
    page = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    fields = {"digest": plan.digest, "reason": "All back", "typed": "other"}
    answer = admin_client.post(f"{page}restore/", fields)
    assert answer.status_code == 422
    assert "This is not the name of the store." in answer.content.decode()
    assert admin_client.post(f"{page}restore/", {**fields, "typed": "main"}).status_code == 302
    run_jobs()
    [item] = last_job().items.all()
    assert item.state == "done", item.message
    with store_of(store) as opened:
        assert opened.keys() == [key_of(n) for n in range(3)]
    assert item.report is not None
    assert item.report["replaced_backup"] == newest().backup.id
    assert newest().backup.sessions == 4


def test_nothing_is_restored_in_place_by_another_digest(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another"})
    plan = compared(admin_client, kept.backup.id)
    page = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    fields = {"digest": "0" * 64, "reason": "Back", "typed": "main"}
    assert admin_client.post(f"{page}restore/", fields).status_code == 409


# --- Retention ------------------------------------------------------------------------------------


def test_an_empty_policy_is_refused(admin_client: Client, store: Path) -> None:
    taken(admin_client)
    answer = admin_client.get("/backups/retention/?keep_last=0")
    assert answer.status_code == 422
    assert "an empty policy would keep nothing" in answer.content.decode()
    assert admin_client.get("/backups/retention.json?keep_last=0").status_code == 422


def test_a_preview_says_which_rule_keeps_which_and_applies_exactly_that(
    admin_client: Client, store: Path
) -> None:
    first, second = taken(admin_client), taken(admin_client)
    told = json.loads(text_of(admin_client, "/backups/retention.json?keep_last=1"))
    assert {one["id"]: one["rules"] for one in told["backups"]} == {
        second.backup.id: ["among the last"],
        first.backup.id: [],
    }
    assert told["freed_bytes"] == first.backup.size_bytes
    text = text_of(admin_client, "/backups/retention/?keep_last=1")
    assert "1 backup would go" in text
    fields = {"keep_last": "1", "reason": "Room", "digest": told["digest"]}
    assert admin_client.post("/backups/retention/apply/", fields).status_code == 302
    run_jobs()
    assert newest().backup.id == second.backup.id
    assert last_job().items.get().report["pruned"] == [first.backup.id]


def test_a_preview_that_is_out_of_date_removes_nothing(admin_client: Client, store: Path) -> None:
    taken(admin_client)
    taken(admin_client)
    told = json.loads(text_of(admin_client, "/backups/retention.json?keep_last=1"))
    taken(admin_client)
    fields = {"keep_last": "1", "reason": "Room", "digest": told["digest"]}
    assert admin_client.post("/backups/retention/apply/", fields).status_code == 409
    assert len(list_backups(store / ".sessionstore" / "backups")) == 3


# --- Recovering -----------------------------------------------------------------------------------


def test_a_store_lists_what_it_can_be_recovered_from_and_stays_as_it_is(
    admin_client: Client, store: Path
) -> None:
    kept = taken(admin_client)
    path = store / "agents" / "main" / "sessions" / "sessions.json.bak.1790000000000"
    path.write_text(json.dumps({key_of(7): entry(7)}))
    before = sorted(one.name for one in path.parent.iterdir())
    text = text_of(admin_client, f"/stores/{id_of()}/recover/")
    assert kept.backup.id in text
    assert "sessions.json.bak.1790000000000" in text
    assert sorted(one.name for one in path.parent.iterdir()) == before
    told = json.loads(text_of(admin_client, f"/stores/{id_of()}/recover.json"))
    [other] = [one for one in told["candidates"] if one["kind"] == "file"]
    fields = {"candidate": other["ref"], "name": "from-the-copy", "reason": "To look"}
    answer = admin_client.post(f"/stores/{id_of()}/recover/run/", fields)
    assert answer.status_code == 302
    run_jobs()
    assert last_job().items.get().state == "done", last_job().items.get().message
    with open_store(store.parent / "restored" / "from-the-copy" / "sessions.json") as restored:
        assert restored.keys() == [key_of(7)]


def test_a_session_lists_the_backups_that_hold_it(operator_client: Client, store: Path) -> None:
    kept = taken(operator_client)
    fill(store, sessions=5)
    text = text_of(operator_client, "/sessions/")
    refs = {
        part.strip("/").split("/")[-1]
        for part in text.split('"')
        if part.startswith(f"/stores/{id_of()}/sessions/") and part.count("/") == 5
    }
    pages = [text_of(operator_client, f"/stores/{id_of()}/recover/?session={r}") for r in refs]
    assert len(pages) == 5
    assert sum(kept.backup.id in page for page in pages) == 3


# --- Whose they are -------------------------------------------------------------------------------


def test_backups_of_other_agents_are_as_if_they_were_not_there(
    admin_client: Client, bob: User, state: Path
) -> None:
    fill(state, "main")
    fill(state, "work")
    taken(admin_client, "main", "work")
    limit(bob, "work")
    client = client_for(bob)
    listed = json.loads(text_of(client, "/backups.json"))
    assert {one["store"] for one in listed["backups"]} == {"work"}
    everything = json.loads(text_of(admin_client, "/backups.json"))["backups"]
    [other] = [one["id"] for one in everything if one["store"] == "main"]
    assert client.get(f"/backups/{other}/").status_code == 404
    assert client.post(f"/backups/{other}/verify/", {"depth": "structure"}).status_code == 404


def test_a_sidecar_cannot_show_itself_to_somebody_of_another_agent(
    admin_client: Client, bob: User, state: Path
) -> None:
    fill(state, "main")
    fill(state, "work")
    kept = taken(admin_client, "main")
    note = kept.backup.path.with_name(f"{kept.backup.id}.json")
    forged = note.read_text().replace('"main"', '"work"').replace("agents/main", "agents/work")
    note.write_text(forged)
    limit(bob, "work")
    assert json.loads(text_of(client_for(bob), "/backups.json"))["backups"] == []


def test_a_backup_of_a_store_that_is_gone_is_for_those_who_see_everything(
    admin_client: Client, bob: User, state: Path
) -> None:
    fill(state, "main")
    fill(state, "work")
    kept = taken(admin_client, "main")
    shutil.rmtree(state / "agents" / "main")
    limit(bob, "work")
    assert client_for(bob).get(f"/backups/{kept.backup.id}/").status_code == 404
    text = text_of(admin_client, f"/backups/{kept.backup.id}/")
    assert "its store is not there now" in text
    fields = {"name": "back", "reason": "It was lost"}
    assert admin_client.post(f"/backups/{kept.backup.id}/place/", fields).status_code == 302
    run_jobs()
    with open_store(state.parent / "restored" / "back" / "sessions.json") as restored:
        assert len(restored.keys()) == 3


def test_a_read_only_console_offers_and_does_nothing(
    admin_client: Client, store: Path, settings: Any
) -> None:
    kept = taken(admin_client)
    settings.READ_ONLY = True
    page = f"/backups/{kept.backup.id}/"
    for path in ("/backups/", page, "/backups/retention/?keep_last=1", "/backups/schedules/"):
        assert "<form" not in text_of(admin_client, path).split("<main", 1)[1].replace(
            '<form id="filters"', ""
        ).replace('<form id="policy"', "")
    for act in ("verify", "hold", "download", "delete", "place", "compare"):
        assert admin_client.post(f"{page}{act}/", {}).status_code == 403
    assert admin_client.get("/backups/new/").status_code in (200, 403)
    assert admin_client.post("/backups/new/", {"store": id_of()}).status_code == 403


def test_a_large_comparison_is_made_by_a_job_that_leads_to_it(
    operator_client: Client, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore_plans, "QUICK", 2)
    kept = taken(operator_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another"})
    answer = operator_client.post(f"/backups/{kept.backup.id}/compare/", {})
    assert answer["Location"] == f"/jobs/{last_job().pk}/"
    run_jobs()
    plan = StorePlan.objects.get()
    address = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    assert address in text_of(operator_client, answer["Location"])
    assert plan.summary["counts"]["changed"] == 1


def test_a_selection_of_the_list_is_backed_up(operator_client: Client, store: Path) -> None:
    reader = fleet().refreshed().readers[0]
    rows = [f"{reader.id}-{reader.refs.of(key_of(number))}" for number in (0, 2)]
    answer = operator_client.post("/plans/new/", {"row": rows})
    page = text_of(operator_client, answer["Location"])
    found = re.search(r'id="back-up-selection" class="nav-link" href="([^"]+)"', page)
    assert found
    assert "2 sessions that were picked" in text_of(operator_client, found[1])
    assert operator_client.post(found[1], {"reason": "These two"}).status_code == 302
    run_jobs()
    text = text_of(operator_client, f"/backups/{newest().backup.id}/")
    assert [key_of(number) in text for number in range(3)] == [True, False, True]
    assert "some sessions" in text


def test_a_session_leads_to_its_backups(operator_client: Client, store: Path) -> None:
    reader = fleet().refreshed().readers[0]
    page = f"/stores/{reader.id}/sessions/{reader.refs.of(key_of(0))}/"
    text = text_of(operator_client, page)
    for name in ("back-up-session", "recover-session"):
        found = re.search(rf'id="{name}" class="menu-link" href="([^"]+)"', text)
        assert found
        assert text_of(operator_client, found[1])
    assert 'id="in-backups"' in text_of(operator_client, f"{page}?tab=versions")


def test_a_selection_of_somebody_else_is_not_there(
    operator_client: Client, make_user: Any, store: Path
) -> None:
    reader = fleet().refreshed().readers[0]
    rows = [f"{reader.id}-{reader.refs.of(key_of(0))}"]
    plan = operator_client.post("/plans/new/", {"row": rows})["Location"].split("/")[2]
    other = client_for(make_user("dora", "operator"))
    assert other.get(f"/backups/new/?plan={plan}").status_code == 404


def test_a_damaged_store_file_is_restored_whole_from_its_backup(
    admin_client: Client, state: Path
) -> None:
    folder = state / "agents" / "main" / "sessions"
    folder.mkdir(parents=True)
    path = folder / "sessions.json"
    path.write_text(json.dumps({key_of(n): entry(n) for n in range(3)}))
    kept = taken(admin_client)
    path.write_text('{"half')
    text = text_of(admin_client, f"/stores/{id_of()}/recover/")
    assert "What is wrong now" in text
    assert kept.backup.id in text
    plan = compared(admin_client, kept.backup.id)
    assert plan.summary["counts"]["created"] == 3
    fields = {"digest": plan.digest, "reason": "It was damaged", "typed": "main"}
    page = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    assert admin_client.post(f"{page}restore/", fields).status_code == 302
    run_jobs()
    assert last_job().items.get().state == "done", last_job().items.get().message
    with store_of(state) as opened:
        assert opened.load() == {key_of(n): entry(n) for n in range(3)}


def test_a_store_that_is_missing_is_restored_in_place(admin_client: Client, store: Path) -> None:
    kept = taken(admin_client)
    shutil.rmtree(store / "agents" / "main" / "sessions" / "sessions.d")
    assert kept.backup.id in text_of(admin_client, f"/stores/{id_of()}/recover/")
    plan = compared(admin_client, kept.backup.id)
    fields = {"digest": plan.digest, "reason": "It was lost", "typed": "main"}
    page = f"/backups/{kept.backup.id}/compare/{plan.pk}/"
    assert admin_client.post(f"{page}restore/", fields).status_code == 302
    run_jobs()
    assert last_job().items.get().state == "done", last_job().items.get().message
    with store_of(store) as opened:
        assert opened.load() == {key_of(n): entry(n) for n in range(3)}
