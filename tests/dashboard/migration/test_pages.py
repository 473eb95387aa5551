"""The pages of migrations: what they show in each state, what they refuse, and what starts."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.jobs import parts, queue
from dashboard.models import AuditEvent, Job, StorePlan
from dashboard.services import migration_work
from sessionstore.store import open_store
from tests.conftest import client_for
from tests.dashboard.jobs.acting import actor_for
from tests.dashboard.migration.conftest import Legacy, entry, id_of, run_jobs, write_legacy

pytestmark = pytest.mark.django_db


def page_of(agent: str = "main") -> str:
    return f"/stores/{id_of(agent)}/migration/"


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def checked(client: Client, page: str) -> StorePlan:
    """Have the store looked at; the preview."""
    assert client.post(f"{page}check/").status_code == 302
    run_jobs()
    return StorePlan.objects.latest("pk")


def started(client: Client, page: str, **fields: str) -> Any:
    digest = StorePlan.objects.latest("pk").digest
    return client.post(f"{page}run/", {"digest": digest, "reason": "It is time", **fields})


def migrated(client: Client, page: str, **fields: str) -> None:
    checked(client, page)
    assert started(client, page, **fields).status_code == 302
    run_jobs()


# --- Looking -------------------------------------------------------------------------------------


def test_a_store_that_nobody_looked_at_says_which_layout_was_found(
    viewer_client: Client, legacy: Legacy
) -> None:
    legacy()
    text = text_of(viewer_client, page_of())
    assert "Not checked yet" in text
    assert "Layout found: one sessions.json." in text


def test_a_look_shows_the_preview_and_changes_nothing(
    operator_client: Client, legacy: Legacy
) -> None:
    path = legacy(sessions=3)
    before = {name.name: name.stat().st_mtime_ns for name in path.parent.iterdir()}
    page = page_of()
    kept = checked(operator_client, page)
    text = text_of(operator_client, page)
    assert kept.summary["sentence"] in text
    assert "agent%3Amain%3Adirect%3A000001.json" in text
    assert "Starting it asks for the role admin." in text
    after = {name.name: name.stat().st_mtime_ns for name in path.parent.iterdir()}
    assert after.items() >= before.items()
    assert set(after) - set(before) <= {".sessionstore"}


def test_a_preview_is_paged_and_filtered_here_and_in_its_twins(
    operator_client: Client, legacy: Legacy
) -> None:
    legacy(sessions=120)
    page = page_of()
    checked(operator_client, page)
    assert "Page 1 of 2" in text_of(operator_client, page)
    second = text_of(operator_client, f"{page}?page=2")
    assert second.count("data-row>") == 20
    whole = json.loads(operator_client.get(f"{page[:-1]}.json").getvalue())
    assert [len(whole["sessions"]), whole["preview"]["counts"]["move"]] == [120, 120]
    none = json.loads(operator_client.get(f"{page[:-1]}.json?action=equal").getvalue())
    assert none["sessions"] == []
    lines = operator_client.get(f"{page[:-1]}.csv").getvalue().decode().splitlines()
    assert len(lines) == 121


def test_nothing_to_migrate_and_an_empty_file_are_no_failures(
    operator_client: Client, legacy: Legacy
) -> None:
    legacy(sessions={})
    page = page_of()
    assert checked(operator_client, page).outcome == "skipped_empty"
    text = text_of(operator_client, page)
    assert "fail" not in text.lower().replace("failed sign-ins", "")
    assert 'id="migrate"' not in text


def test_a_damaged_file_is_left_and_said_so(operator_client: Client, legacy: Legacy) -> None:
    path = legacy()
    path.write_text('{"agent:main:a": {"sessionId"')
    page = page_of()
    assert checked(operator_client, page).outcome == "skipped_invalid"
    assert "Cannot migrate" in text_of(operator_client, page)
    assert path.read_text() == '{"agent:main:a": {"sessionId"'


# --- Running -------------------------------------------------------------------------------------


def test_a_run_moves_every_session_and_its_page_proves_it(
    admin_client: Client, legacy: Legacy
) -> None:
    path = legacy(sessions=30)
    source = path.read_bytes()
    page = page_of()
    migrated(admin_client, page)
    with open_store(path) as store:
        assert (store.layout, len(store.keys())) == ("directory", 30)
    [kept] = path.parent.glob("sessions.json.bak.*")
    assert kept.read_bytes() == source
    text = text_of(admin_client, page)
    job = Job.objects.get(kind=migration_work.RUN)
    assert job.outcome.startswith("30 sessions were moved")
    assert job.outcome in text
    assert "30 taken over, 30 read back and equal" in text
    assert "What was taken over" in text
    assert f"kept as {kept.name}" in text
    assert "Nothing needs your attention." in text
    events = AuditEvent.objects.order_by("sequence").values_list("action", "outcome")
    assert [event for event in events if "migrat" in event[0]] == [
        ("migration.start", "done"),
        ("store.migrate", "done"),
    ]


def test_the_report_can_be_downloaded_and_is_masked(admin_client: Client, legacy: Legacy) -> None:
    secret = "sk-ant-api03-" + "A" * 40
    legacy(sessions={f"agent:main:{secret}": 5, "agent:main:b": entry(1)})
    migrated(admin_client, page_of())
    job = Job.objects.get(kind=migration_work.RUN)
    report = admin_client.get(f"/jobs/{job.pk}.json").getvalue().decode()
    told = json.loads(report)["items"][0]["report"]
    assert (told["taken"], told["verified"], len(told["findings"])) == (1, 1, 1)
    assert secret not in report


def test_the_second_operator_sees_the_run_of_the_first(
    admin_client: Client, operator_client: Client, legacy: Legacy
) -> None:
    legacy()
    page = page_of()
    checked(admin_client, page)
    started(admin_client, page)
    text = text_of(operator_client, page)
    assert "Asked for by alice" in text
    assert "It is time" in text
    assert 'id="migrate"' not in text
    answer = started(admin_client, page)
    assert answer.status_code == 409
    assert "Somebody was faster" in answer.content.decode()
    assert Job.objects.filter(kind=migration_work.RUN).count() == 1


def test_a_run_is_refused_when_sessions_are_not_as_the_preview_shows_them(
    admin_client: Client, legacy: Legacy
) -> None:
    path = legacy(sessions=3)
    page = page_of()
    checked(admin_client, page)
    write_legacy(path.parents[3], "main", 5)
    answer = started(admin_client, page)
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "2 sessions changed since the preview, review them." in text
    assert "agent:main:direct:000004" in text
    assert not Job.objects.filter(kind=migration_work.RUN).exists()
    run_jobs()
    assert started(admin_client, page).status_code == 302


def test_a_writers_change_that_leaves_the_way_of_sessions_as_it_is_asks_nobody_again(
    admin_client: Client, legacy: Legacy
) -> None:
    path = legacy(sessions=3)
    page = page_of()
    checked(admin_client, page)
    changed = json.loads(path.read_text())
    changed["agent:main:direct:000001"]["updatedAt"] += 5000
    path.write_text(json.dumps(changed))
    assert started(admin_client, page).status_code == 302
    run_jobs()
    with open_store(path) as store:
        got = store.get("agent:main:direct:000001")
    assert got is not None
    assert got["updatedAt"] == 1_790_000_005_001


def test_another_preview_than_the_one_seen_starts_nothing(
    admin_client: Client, legacy: Legacy
) -> None:
    legacy()
    page = page_of()
    checked(admin_client, page)
    answer = admin_client.post(f"{page}run/", {"digest": "0" * 64, "reason": "x"})
    assert answer.status_code == 409
    assert "not the preview that you saw" in answer.content.decode()


def test_openclaw_asks_for_a_choice_that_the_server_requires(
    admin_client: Client, legacy: Legacy, state: Path
) -> None:
    path = legacy()
    (state / "openclaw.json").write_text("{}")
    page = page_of()
    checked(admin_client, page)
    text = text_of(admin_client, page)
    assert "Which programs read the store then" in text
    assert "openclaw.json is in the state directory" in text
    guard = text[text.index('id="migrate-guard"') : text.index('id="guard-hint"')]
    assert "checked" in guard
    answer = started(admin_client, page, guard="on")
    assert answer.status_code == 422
    assert "Say that you have read who reads this store." in answer.content.decode()
    assert started(admin_client, page, guard="on", understood="on").status_code == 302
    run_jobs()
    assert path.is_dir()
    with open_store(path) as store:
        assert len(store.keys()) == 3


def test_a_live_gateway_is_a_refusal_with_cause_and_next_step(
    admin_client: Client, legacy: Legacy, state: Path, gateway: Any
) -> None:
    legacy()
    page = page_of()
    checked(admin_client, page)
    gateway(state)
    answer = started(admin_client, page, understood="on")
    assert answer.status_code == 409
    said = answer.content.decode()
    assert f"process {os.getpid()}" in said
    assert "Stop the gateway" in said
    checked(admin_client, page)
    text = text_of(admin_client, page)
    assert "Stop the gateway, then check again." in text
    assert 'id="migrate"' not in text


def test_a_disk_without_room_pauses_the_job_before_anything_is_written(
    admin_client: Client, legacy: Legacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = legacy()
    page = page_of()
    checked(admin_client, page)
    started(admin_client, page)
    real = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda where: _full(real(where)))
    monkeypatch.setattr(os, "fstatvfs", lambda fd: _full(real(path.parent)))
    run_jobs()
    job = Job.objects.get(kind=migration_work.RUN)
    assert job.state == "paused"
    assert job.outcome.startswith("No room: it needs")
    assert job.outcome in text_of(admin_client, page)
    assert not (path.parent / "sessions.d").exists()
    monkeypatch.undo()


def test_a_disk_without_room_pauses_an_undo_before_anything_is_written(
    admin_client: Client, legacy: Legacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = legacy()
    undo = f"{page_of()}undo/"
    migrated(admin_client, page_of())
    admin_client.post(f"{undo}check/")
    run_jobs()
    digest = StorePlan.objects.get(kind="rollback").digest
    fields = {"digest": digest, "reason": "Back", "name": "main"}
    assert admin_client.post(f"{undo}run/", fields).status_code == 302
    real = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda where: _full(real(where)))
    monkeypatch.setattr(os, "fstatvfs", lambda fd: _full(real(path.parent)))
    run_jobs()
    job = Job.objects.get(kind=migration_work.UNDO)
    assert job.state == "paused"
    assert job.outcome.startswith("No room: it needs")
    assert not path.exists()
    monkeypatch.undo()


def _full(figures: os.statvfs_result) -> os.statvfs_result:
    return os.statvfs_result((*figures[:2], figures[2], 0, 0, *figures[5:]))


def test_one_job_migrates_the_ticked_stores_and_a_failure_stops_no_other(
    admin_client: Client, legacy: Legacy
) -> None:
    paths = [legacy(agent) for agent in ("one", "two", "three")]
    admin_client.post("/migration/check/")
    run_jobs()
    previews = {plan.name: plan for plan in StorePlan.objects.all()}
    assert set(previews) == {"one", "two", "three"}
    chosen = {"store": [previews[name].store_id for name in ("one", "two")]}
    digests = {f"digest-{plan.store_id}": plan.digest for plan in previews.values()}
    answer = admin_client.post("/migration/run/", {**chosen, **digests, "reason": "all"})
    assert answer.status_code == 302
    paths[0].write_text("[]")
    run_jobs()
    job = Job.objects.get(kind=migration_work.RUN)
    assert answer["Location"] == f"/jobs/{job.pk}/"
    assert list(job.items.values_list("state", flat=True)) == ["skipped", "done"]
    assert "3 of 3 sessions moved and read back equal." in job.outcome
    with open_store(paths[1]) as store:
        assert store.layout == "directory"
    with open_store(paths[2]) as store:
        assert store.layout == "legacy"
    text = text_of(admin_client, "/migration/")
    assert "of 3 stores" in text


def test_nothing_ticked_is_said_and_starts_nothing(admin_client: Client, legacy: Legacy) -> None:
    legacy()
    admin_client.post("/migration/check/")
    run_jobs()
    answer = admin_client.post("/migration/run/", {"reason": "x"})
    assert answer.status_code == 422
    assert "Tick at least one store above." in answer.content.decode()


# --- Undoing, exporting, mirroring ---------------------------------------------------------------


def test_undoing_lists_what_would_move_back_and_moves_it(
    admin_client: Client, legacy: Legacy
) -> None:
    path = legacy(sessions=4)
    page = page_of()
    migrated(admin_client, page)
    with open_store(path) as store:
        store.patch("agent:main:direct:000001", {"label": "written since"})
        store.put("agent:main:direct:new", entry(9))
        store.delete("agent:main:direct:000002")
    undo = f"{page}undo/"
    text = text_of(admin_client, undo)
    assert "Nobody has looked yet what undoing would move back" in text
    admin_client.post(f"{undo}check/")
    run_jobs()
    kept = StorePlan.objects.get(kind="rollback")
    assert kept.summary["counts"] == {
        "same": 2, "written since": 1, "new since": 1, "deleted since": 1,
    }  # fmt: skip
    text = text_of(admin_client, f"{undo}?action=new+since")
    assert text.count("data-row>") == 1
    fields = {"digest": kept.digest, "reason": "Back", "name": "other"}
    answer = admin_client.post(f"{undo}run/", fields)
    assert answer.status_code == 422
    assert "This is not the name of the store." in answer.content.decode()
    assert admin_client.post(f"{undo}run/", {**fields, "name": "main"}).status_code == 302
    run_jobs()
    now = json.loads(path.read_text())
    assert now["agent:main:direct:000001"]["label"] == "written since"
    assert sorted(now) == [
        *(f"agent:main:direct:00000{n}" for n in (0, 1, 3)),
        "agent:main:direct:new",
    ]
    text = text_of(admin_client, page)
    assert "sessions are in sessions.json again" in text.lower() or "is kept as" in text


def test_an_export_is_everything_unmasked_and_on_record(
    admin_client: Client, operator_client: Client, legacy: Legacy
) -> None:
    legacy(sessions={"agent:main:a": {**entry(1), "apiKey": "sk-ant-api03-" + "B" * 40}})
    page = page_of()
    assert operator_client.post(f"{page}export/", {"reason": "x"}).status_code == 403
    assert admin_client.post(f"{page}export/", {}).status_code == 422
    answer = admin_client.post(f"{page}export/", {"reason": "Going back"})
    assert answer["Content-Disposition"] == 'attachment; filename="sessions.json"'
    assert answer["Cache-Control"] == "no-store"
    assert json.loads(answer.content)["agent:main:a"]["apiKey"].endswith("BBBB")
    outcomes = AuditEvent.objects.filter(action="store.export").order_by("sequence")
    assert list(outcomes.values_list("outcome", flat=True)) == ["started", "done"]


def test_the_mirror_is_switched_on_and_off_on_record(admin_client: Client, legacy: Legacy) -> None:
    legacy()
    page = page_of()
    migrated(admin_client, page)
    assert "It is off, and was never on." in text_of(admin_client, page)
    answer = admin_client.post(f"{page}mirror/", {"step": "on", "reason": "For old readers"})
    assert answer.status_code == 302
    text = text_of(admin_client, page)
    assert "There is no copy yet." in text
    assert "Turn off" in text
    answer = admin_client.post(f"{page}mirror/", {"step": "off", "reason": "No more"})
    assert answer.status_code == 302
    steps = AuditEvent.objects.filter(action="store.mirror", outcome="done")
    assert [json.loads(event.details)["step"] for event in steps.order_by("sequence")] == [
        "on",
        "off",
    ]


def test_the_mirror_of_a_guarded_store_is_refused_with_the_reason(
    admin_client: Client, legacy: Legacy
) -> None:
    legacy()
    page = page_of()
    migrated(admin_client, page, guard="on")
    answer = admin_client.post(f"{page}mirror/", {"step": "on", "reason": "x"})
    assert answer.status_code in (409, 422)
    assert AuditEvent.objects.filter(action="store.mirror", outcome="failed").exists()


# --- Steering, hostile text ----------------------------------------------------------------------


def test_a_cancelled_run_leaves_the_store_as_it_was(
    admin_client: Client, alice: User, legacy: Legacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = legacy(sessions=50)
    before = path.read_bytes()
    page = page_of()
    checked(admin_client, page)
    started(admin_client, page)
    job = Job.objects.get(kind=migration_work.RUN)
    tell = parts.report

    def report(done: int, total: int, name: str, **more: Any) -> None:
        if done == 20:
            queue.cancel(actor_for(alice), job.pk)
            monkeypatch.setattr("dashboard.jobs.parts.WRITE_EVERY_S", 0)
        tell(done, total, name, **more)

    monkeypatch.setattr(parts, "report", report)
    run_jobs()
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert path.read_bytes() == before
    assert not (path.parent / "sessions.d").exists()
    monkeypatch.undo()


def test_hostile_text_is_shown_escaped_and_masked_everywhere(
    admin_client: Client, legacy: Legacy
) -> None:
    secret = "sk-ant-api03-" + "C" * 40
    legacy(
        sessions={
            "agent:main:<script>alert(1)</script>": entry(1),
            f"agent:main:{secret}": entry(2),
            "agent:main:\u202egnp.exe": entry(3),
            '"><img src=x onerror=alert(1)>': 5,
            "agent:main:a/../../etc": entry(4),
        }
    )
    page = page_of()
    checked(admin_client, page)
    paths = [page, f"{page[:-1]}.json", f"{page[:-1]}.csv", "/migration/", "/migration.json"]
    texts = [admin_client.get(path).getvalue().decode() for path in paths]
    started(admin_client, page)
    run_jobs()
    job = Job.objects.get(kind=migration_work.RUN)
    texts += [admin_client.get(path).getvalue().decode() for path in (*paths, f"/jobs/{job.pk}/")]
    admin_client.post(f"{page}undo/check/")
    run_jobs()
    texts.append(text_of(admin_client, f"{page}undo/"))
    for text in texts:
        assert secret not in text
        assert "\u202e" not in text
        if text.startswith("<!doctype"):
            assert "<script>alert" not in text
            assert "<img src=x" not in text


def test_viewers_of_another_agent_see_no_such_store(
    legacy: Legacy, carol: User, admin_client: Client
) -> None:
    from dashboard.models import AgentScope

    legacy("main")
    legacy("work")
    store = page_of("main")
    AgentScope.objects.create(user=carol, agents=["work"])
    client = client_for(carol)
    assert client.get(store).status_code == 404
    assert "main" not in [row["agent"] for row in client.get("/migration.json").json()["stores"]]


def test_a_store_outside_of_the_state_directory_asks_for_an_explicit_yes(
    admin_client: Client, state: Path, tmp_path: Path, settings: Any
) -> None:
    outside = tmp_path / "elsewhere"
    write_legacy(outside, "main", 3)
    settings.STORE_TEMPLATE = str(outside / "agents/{agentId}/sessions/sessions.json")
    (state / "agents" / "main").mkdir(parents=True)
    page = page_of()
    checked(admin_client, page)
    assert "This store is outside of the state directory." in text_of(admin_client, page)
    assert started(admin_client, page).status_code == 422
    assert started(admin_client, page, understood="on").status_code == 302


def test_writers_that_hold_a_lock_are_named(operator_client: Client, legacy: Legacy) -> None:
    path = legacy()
    with open_store(path.parent / "sessions.d") as store:
        store.put("agent:main:direct:here", entry(1))
    may_end, holds = threading.Event(), threading.Event()

    def hold(now: Any) -> Any:
        holds.set()
        assert may_end.wait(60)
        return None

    with open_store(path.parent / "sessions.d") as store:
        writer = threading.Thread(target=store.update, args=("agent:main:direct:here", hold))
        writer.start()
        assert holds.wait(60)
        page = page_of()
        checked(operator_client, page)
        may_end.set()
        writer.join()
    assert f"process {os.getpid()} on" in text_of(operator_client, page)


def test_undoing_is_not_asked_again_for_what_writers_changed(
    admin_client: Client, legacy: Legacy
) -> None:
    path = legacy()
    page = page_of()
    migrated(admin_client, page)
    admin_client.post(f"{page}undo/check/")
    run_jobs()
    with open_store(path) as store:
        store.patch("agent:main:direct:000001", {"label": "written in between"})
    digest = StorePlan.objects.get(kind="rollback").digest
    fields = {"digest": digest, "reason": "Back", "name": "main"}
    assert admin_client.post(f"{page}undo/run/", fields).status_code == 302
    run_jobs()
    now = json.loads(path.read_text())
    assert now["agent:main:direct:000001"]["label"] == "written in between"
