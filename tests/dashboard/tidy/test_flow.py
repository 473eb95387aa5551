"""Find, plan, apply, take back: over a real store, with its real jobs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client

from dashboard.jobs import parts
from dashboard.models import AuditEvent, Job, TidyPlan
from sessionstore.blobswitch import blob_status, set_blobs
from sessionstore.store import open_store

from .conftest import STAMP, apply, check, id_of, json_of, old, plan, run_jobs

pytestmark = pytest.mark.django_db


def keys_of(folder: Path) -> list[str]:
    with open_store(folder) as store:
        return list(store.keys())


def names_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_a_page_never_checks_by_itself(folder: Path, viewer_client: Client) -> None:
    page = viewer_client.get("/tidy/")
    assert page.status_code == 200
    assert "Nothing was checked yet." in page.content.decode()
    assert Job.objects.count() == 0


def test_a_check_finds_what_is_there_and_says_how_much_it_examined(
    folder: Path, operator_client: Client, viewer_client: Client
) -> None:
    report = check(operator_client)
    assert {"untouched", "orphan-transcript", "leftover-temporary", "old-archive"} <= set(
        report.totals
    )
    page = viewer_client.get("/tidy/").content.decode()
    assert f"{report.entries} sessions and {report.files} files examined" in page
    assert "main-nobody.jsonl" in page


def test_a_check_changes_nothing(folder: Path, operator_client: Client) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}
    check(operator_client)
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir() if p.is_file()} == before


def test_a_finding_leads_to_its_session(folder: Path, operator_client: Client) -> None:
    check(operator_client)
    page = operator_client.get(f"/stores/{id_of()}/tidy/?rule=untouched")
    links = re.findall(r'href="(/stores/[0-9a-f]+/sessions/[0-9a-f]+/)"', page.content.decode())
    assert len(links) == 2
    assert operator_client.get(links[0]).status_code == 200


def test_findings_are_narrowed_by_rule_and_text(folder: Path, operator_client: Client) -> None:
    check(operator_client)
    found = json_of(operator_client, "/tidy.json?rule=orphan-transcript")
    assert [one["rule"] for one in found["findings"]] == ["orphan-transcript"]
    found = json_of(operator_client, "/tidy.json?q=direct:0001")
    assert {one["key"] for one in found["findings"]} == {"agent:main:direct:0001"}


def test_the_next_check_tells_what_is_new_and_what_is_gone(
    folder: Path, operator_client: Client
) -> None:
    check(operator_client)
    (folder / "main-nobody.jsonl").rename(folder / "main-other.jsonl")
    second = check(operator_client)
    assert (second.new, second.gone) == (1, 1)
    new = json_of(operator_client, "/tidy.json?show=new")["findings"]
    gone = json_of(operator_client, "/tidy.json?show=gone")["findings"]
    assert [one["path"].rpartition("/")[2] for one in new] == ["main-other.jsonl"]
    assert [one["path"].rpartition("/")[2] for one in gone] == ["main-nobody.jsonl"]


def test_a_plan_changes_nothing_and_shows_each_item_with_its_reason(
    folder: Path, operator_client: Client
) -> None:
    before = names_of(folder), keys_of(folder)
    made = plan(operator_client)
    assert (names_of(folder), keys_of(folder)) == before
    shown = json_of(operator_client, f"/tidy/plans/{made.pk}.json")
    by_subject = {one["subject"]: one for one in shown["items"]}
    assert by_subject["agent:main:direct:0000"]["action"] == "archive"
    assert by_subject[f"main-gone.jsonl.deleted.{STAMP}"]["action"] == "delete"
    assert by_subject["main-nobody.jsonl"]["action"] == "archive"
    assert all(one["reason"] for one in shown["items"])


def test_a_policy_without_a_rule_does_nothing_and_says_so(
    folder: Path, operator_client: Client
) -> None:
    made = plan(operator_client, protect="agent:main:*")
    page = operator_client.get(f"/tidy/plans/{made.pk}/").content.decode()
    assert "this plan does nothing" in page
    assert 'id="apply-go"' not in page
    assert apply(operator_client, made).status_code == 409


def test_applying_archives_deletes_and_slims_and_everything_comes_back(
    folder: Path, admin_client: Client
) -> None:
    before = names_of(folder), keys_of(folder)
    with open_store(folder) as store:
        entries = store.load()
    made = plan(admin_client)
    assert apply(admin_client, made).status_code == 302
    run_jobs()
    made.refresh_from_db()
    assert set(made.outcomes) == {"done"}
    assert keys_of(folder) == ["agent:main:direct:0002", "agent:main:direct:0003"]
    assert "main-nobody.jsonl" not in names_of(folder)
    with open_store(folder) as store:
        assert all("skillsSnapshot" not in entry for entry in store.load().values())
    # A field's own share of an entry is an estimate to the byte; everything else is exact.
    assert abs(made.achieved_bytes - made.predicted_bytes) < 0.01 * made.predicted_bytes

    back = admin_client.post(
        f"/tidy/plans/{made.pk}/take-back/", {"which": "all", "reason": "too early"}
    )
    assert back.status_code == 302, back.content
    run_jobs()
    made.refresh_from_db()
    assert set(made.outcomes) == {"taken-back"}
    assert (names_of(folder), keys_of(folder)) == before
    with open_store(folder) as store:
        assert store.load() == entries


def test_blob_that_nothing_refers_to_is_told_planned_retired_and_brought_back(
    folder: Path, admin_client: Client
) -> None:
    with open_store(folder) as store:
        set_blobs(store, True)
        key = store.keys()[3]
        store.patch(key, {"skillsSnapshot": {"prompt": "y" * 5000}})
        store.patch(key, {"skillsSnapshot": None})
        paths = store.paths
    for path in (paths.sidecar / "blobs").glob("*/*"):
        old(path)
    assert check(admin_client).findings.filter(rule="unnamed-blob").count() == 1
    made = plan(admin_client, leftover_retention_s="1d")
    [shown] = json_of(admin_client, f"/tidy/plans/{made.pk}.json?kind=value")["items"]
    assert shown["size_bytes"] > 5000 and "No file refers to this blob" in shown["reason"]
    assert "blobs that nothing refers to" in admin_client.get(f"/tidy/plans/{made.pk}/").text
    apply(admin_client, made)
    run_jobs()
    assert blob_status(paths).retired == 1
    sent = {"which": "all", "reason": "too early"}
    assert admin_client.post(f"/tidy/plans/{made.pk}/take-back/", sent).status_code == 302
    run_jobs()
    made.refresh_from_db()
    assert set(made.outcomes) == {"taken-back"}
    assert blob_status(paths).retired == 0


def test_some_items_come_back_and_the_others_stay_away(folder: Path, admin_client: Client) -> None:
    made = plan(admin_client)
    apply(admin_client, made)
    run_jobs()
    item = made.items.get(subject="agent:main:direct:0001")
    sent = {"which": "ticked", "reason": "this one", "item": str(item.position)}
    assert admin_client.post(f"/tidy/plans/{made.pk}/take-back/", sent).status_code == 302
    run_jobs()
    assert "agent:main:direct:0001" in keys_of(folder)
    assert "agent:main:direct:0000" not in keys_of(folder)
    item.refresh_from_db()
    assert item.outcome == "taken-back"


def test_what_became_active_since_the_plan_is_left_alone_and_told(
    folder: Path, admin_client: Client
) -> None:
    made = plan(admin_client, prune_after_s="30d")
    with open_store(folder) as store:
        store.patch("agent:main:direct:0000", {"label": "back again"})
    apply(admin_client, made)
    run_jobs()
    made.refresh_from_db()
    assert made.outcomes == {"done": 1, "skipped": 1}
    assert "agent:main:direct:0000" in keys_of(folder)
    assert made.items.get(subject="agent:main:direct:0000").message


def test_what_is_left_out_of_a_plan_is_not_touched(folder: Path, admin_client: Client) -> None:
    made = plan(admin_client, prune_after_s="30d")
    item = made.items.get(subject="agent:main:direct:0000")
    sent = {"do": "leave-out", "item": str(item.position)}
    assert admin_client.post(f"/tidy/plans/{made.pk}/exclude/", sent).status_code == 302
    apply(admin_client, made)
    run_jobs()
    assert "agent:main:direct:0000" in keys_of(folder)
    assert "agent:main:direct:0001" not in keys_of(folder)


def test_everything_that_matches_is_left_out_and_put_back(
    folder: Path, admin_client: Client
) -> None:
    made = plan(admin_client)
    acting = made.items.exclude(action="keep").count()
    sent = {"do": "leave-out", "which": "matching", "list": "action=archive"}
    admin_client.post(f"/tidy/plans/{made.pk}/exclude/", sent)
    made.refresh_from_db()
    assert made.excluded == made.items.filter(action="archive").count() < acting
    sent = {"do": "put-back", "which": "matching", "list": "action=excluded"}
    admin_client.post(f"/tidy/plans/{made.pk}/exclude/", sent)
    made.refresh_from_db()
    assert made.excluded == 0


def test_a_plan_that_was_changed_since_it_was_looked_at_is_not_applied(
    folder: Path, admin_client: Client
) -> None:
    made = plan(admin_client)
    digest = admin_client.get(f"/tidy/plans/{made.pk}/").context["seen"].seen
    item = made.items.get(subject="agent:main:direct:0000")
    sent = {"do": "leave-out", "item": str(item.position)}
    admin_client.post(f"/tidy/plans/{made.pk}/exclude/", sent)
    assert apply(admin_client, made, digest=digest).status_code == 409
    made.refresh_from_db()
    assert made.job_id is None


def test_a_plan_is_applied_once(folder: Path, admin_client: Client) -> None:
    made = plan(admin_client)
    digest = admin_client.get(f"/tidy/plans/{made.pk}/").context["seen"].seen
    count = str(made.totals["delete"]["count"])
    assert apply(admin_client, made).status_code == 302
    again = apply(admin_client, made, digest=digest, count=count)
    assert again.status_code == 409
    run_jobs()
    assert Job.objects.filter(kind="tidy.apply").count() == 1


def test_the_number_of_deletions_has_to_be_typed(folder: Path, admin_client: Client) -> None:
    made = plan(admin_client)
    assert apply(admin_client, made, count="1").status_code == 422
    assert apply(admin_client, made, reason="").status_code == 422
    made.refresh_from_db()
    assert made.job_id is None


def test_an_operator_archives_but_does_not_delete(folder: Path, operator_client: Client) -> None:
    deleting = plan(operator_client)
    assert apply(operator_client, deleting).status_code == 403
    archiving = plan(operator_client, prune_after_s="30d")
    assert apply(operator_client, archiving).status_code == 302


def test_the_audit_has_the_intent_and_the_outcome(folder: Path, admin_client: Client) -> None:
    made = plan(admin_client)
    apply(admin_client, made)
    run_jobs()
    told = AuditEvent.objects.filter(action__startswith="tidy.").order_by("sequence")
    assert [(one.action, one.outcome) for one in told] == [
        ("tidy.apply", "started"),
        ("tidy.run", "done"),
    ]
    assert told[0].reason == "too much"


def test_an_unparsable_value_of_the_gateway_stops_the_plan_and_is_named(
    state: Path, folder: Path, operator_client: Client
) -> None:
    config = '{"session": {"maintenance": {"pruneAfter": "soon"}}}'
    (state / "openclaw.json").write_text(config)
    page = operator_client.get(f"/stores/{id_of()}/tidy/plan/").content.decode()
    assert "session.maintenance.pruneAfter" in page
    answer = operator_client.post(f"/stores/{id_of()}/tidy/plan/", {"prune_after_s": "30d"})
    assert answer.status_code == 409
    assert "soon" in answer.content.decode()
    assert TidyPlan.objects.count() == 0


def test_the_gateways_values_fill_the_form_and_are_named_as_the_source(
    state: Path, folder: Path, operator_client: Client
) -> None:
    config = '{"session": {"maintenance": {"pruneAfter": "45d", "maxEntries": 700}}}'
    (state / "openclaw.json").write_text(config)
    page = operator_client.get(f"/stores/{id_of()}/tidy/plan/?use=gateway")
    assert page.context["form"]["prune_after_s"].value() == "45d"
    assert page.context["form"]["max_entries"].value() == "700"
    made = plan(operator_client, prune_after_s="45d", max_entries="9")
    assert made.sources["prune_after_s"] == "openclaw.json: session.maintenance.pruneAfter"
    assert made.sources["max_entries"] == "chosen by bob"


def test_what_a_cancelled_run_did_is_told_and_comes_back(
    folder: Path, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = names_of(folder), keys_of(folder)
    made = plan(admin_client)

    def stop_at_third(done: int, total: int, name: str, **rest: object) -> None:
        if done == 2:
            raise parts.StopItemError("cancel")

    monkeypatch.setattr(parts, "report", stop_at_third)
    apply(admin_client, made)
    run_jobs()
    monkeypatch.undo()
    made.refresh_from_db()
    assert made.outcomes["done"] == 2
    assert keys_of(folder) != before[1]
    sent = {"which": "all", "reason": "stopped half-way"}
    assert admin_client.post(f"/tidy/plans/{made.pk}/take-back/", sent).status_code == 302
    run_jobs()
    assert (names_of(folder), keys_of(folder)) == before


def test_what_a_killed_and_cancelled_run_did_can_be_taken_back(
    folder: Path, admin_client: Client
) -> None:
    before = names_of(folder), keys_of(folder)
    made = plan(admin_client)
    apply(admin_client, made)
    run_jobs()
    # As if the runner had died before it told the console anything but that it had begun.
    made.items.update(outcome="")
    TidyPlan.objects.filter(pk=made.pk).update(ran_at=None, outcomes={}, take_back_until_ms=None)
    assert b"ended before the run did" in admin_client.get(f"/tidy/plans/{made.pk}/").content
    sent = {"which": "all", "reason": "what did it do?"}
    assert admin_client.post(f"/tidy/plans/{made.pk}/take-back/", sent).status_code == 302
    run_jobs()
    assert (names_of(folder), keys_of(folder)) == before
