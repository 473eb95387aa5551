"""Limits that are set, notes on checks, what pages say with and without a runner, and scopes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.models import Acknowledgement, Alert, AuditEvent, CheckState, Threshold
from dashboard.services.check_acknowledging import remove_expired_acknowledgements
from dashboard.services.check_memory import FRESH_FOR
from dashboard.services.check_titles import title_of
from dashboard.services.thresholds import RULES
from tests.conftest import client_for
from tests.dashboard.checks.conftest import checks_of, clear_reports, evaluate, report
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db

MARKUP = "<script>window.broken=1</script>"


def rules_of(client: Client) -> dict[str, dict[str, Any]]:
    return {rule["name"]: rule for rule in client.get("/checks.json").json()["rules"]}


def test_every_rule_is_listed_with_its_reason_and_limits(
    state: Path, viewer_client: Client
) -> None:
    text = viewer_client.get("/checks/").content.decode()
    for name, rule in RULES.items():
        assert f'id="rule-{name}"' in text
        assert rule.reason.split("'")[0][:40] in text
    assert rules_of(viewer_client)["disk"]["bands"] == [
        *("> 2 × the stores", "≤ 2 × the stores", "< 1 × the stores"),
    ]


def test_every_check_of_a_figure_leads_to_its_rule_and_its_proof(
    state: Path, viewer_client: Client
) -> None:
    text = viewer_client.get("/").content.decode()
    for check in checks_of(viewer_client).values():
        if check["rule"]:
            assert f"/checks/#rule-{check['rule']}" in text
            assert check["page"]


def test_the_twins_give_every_figure_of_each_agent(state: Path, viewer_client: Client) -> None:
    report(state, wait_ms=200)
    lines = b"".join(viewer_client.get("/checks.csv")).decode().splitlines()
    assert lines[0] == "rule,agent,state,found,value,samples,since,sentence"
    assert any(line.startswith("lock-wait,main,watch,watch,0.") for line in lines)
    assert any(line.startswith("lock-wait,work,unknown") for line in lines)


# --- Limits --------------------------------------------------------------------------------------


def test_an_admin_changes_a_limit_on_record_and_back(
    state: Path, admin_client: Client, viewer_client: Client
) -> None:
    report(state, wait_ms=200)
    answer = admin_client.post("/checks/rules/lock-wait/", {"watch": "20", "bad": "150"})
    assert (answer.status_code, answer["Location"]) == (302, "/checks/#rule-lock-wait")
    assert checks_of(viewer_client)["lock-wait"]["state"] == "bad"
    rule = rules_of(viewer_client)["lock-wait"]
    assert (rule["bands"][2], rule["default"][2], rule["changed_by"]) == (
        *("≥ 150 ms", "≥ 1 s", "alice"),
    )
    details = json.loads(AuditEvent.objects.get(action="threshold.change").details)
    assert (details["before"]["bad"], details["after"]["bad"]) == (1.0, 0.15)
    assert admin_client.post("/checks/rules/lock-wait/reset/").status_code == 302
    assert not Threshold.objects.exists()
    assert checks_of(viewer_client)["lock-wait"]["state"] == "watch"
    assert AuditEvent.objects.filter(action="threshold.reset").exists()


@pytest.mark.parametrize(
    ("rule", "fields", "told"),
    [
        ("lock-wait", {"watch": "200", "bad": "100"}, "Watch must not be above bad."),
        ("disk", {"watch": "1", "bad": "2"}, "Less is worse here"),
        ("lock-wait", {"watch": "0", "bad": "100"}, "From 1 to 3,600,000"),
        ("lock-wait", {"watch": "", "bad": "100"}, "Type a number."),
        ("lock-wait", {"watch": "nan", "bad": "100"}, "Enter a number."),
        ("lock-wait", {"watch": "1e400", "bad": "100"}, "number"),
        ("contended", {"watch": "1", "bad": "101"}, "From 0.1 to 100"),
        ("timeouts", {"bad": "x"}, "Enter a number."),
    ],
)
def test_limits_that_make_no_sense_are_refused_at_their_field(
    state: Path, admin_client: Client, rule: str, fields: dict[str, str], told: str
) -> None:
    answer = admin_client.post(f"/checks/rules/{rule}/", fields)
    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert not Threshold.objects.exists()


@pytest.mark.parametrize("name", list(RULES))
def test_saving_a_form_as_it_is_changes_no_limit(
    state: Path, admin_client: Client, name: str
) -> None:
    page = admin_client.get(f"/checks/rules/{name}/")
    fields = {f["name"]: f["bound"].value() for f in page.context["fields"]}
    assert admin_client.post(f"/checks/rules/{name}/", fields).status_code == 302
    row, default = Threshold.objects.get(pk=name), RULES[name].default
    assert row.watch == pytest.approx(default.watch)
    assert row.bad == pytest.approx(default.bad)


def test_a_rule_that_is_not_there_is_not_found(state: Path, admin_client: Client) -> None:
    assert admin_client.get("/checks/rules/nonsense/").status_code == 404


def test_read_only_offers_and_takes_no_change(
    state: Path, admin_client: Client, settings: Any
) -> None:
    settings.READ_ONLY = True
    text = admin_client.get("/checks/").content.decode()
    assert "Change" not in text.partition("<main")[2]
    assert "nobody is told" in text
    assert (
        admin_client.post("/checks/rules/lock-wait/", {"watch": "1", "bad": "2"}).status_code == 403
    )
    assert admin_client.post("/checks/test-alert/").status_code == 403


# --- Memory --------------------------------------------------------------------------------------


def test_pages_show_what_the_runners_settled_and_what_a_look_alone_would_say(
    state: Path, viewer_client: Client
) -> None:
    report(state)
    evaluate(2)
    clear_reports(state)
    report(state, wait_ms=2_000)
    check = checks_of(viewer_client)["lock-wait"]
    assert (check["state"], check["found"]) == ("ok", "bad")
    assert "By this look alone it would be bad" in check["detail"]
    evaluate(2)
    assert checks_of(viewer_client)["lock-wait"]["state"] == "bad"
    assert "No job runner evaluates" not in viewer_client.get("/").content.decode()


def test_without_a_runner_pages_go_by_their_own_look_and_say_so(
    state: Path, viewer_client: Client
) -> None:
    report(state)
    evaluate(2)
    CheckState.objects.update(evaluated_at=timezone.now() - FRESH_FOR - timedelta(seconds=1))
    clear_reports(state)
    report(state, wait_ms=2_000)
    assert checks_of(viewer_client)["lock-wait"]["state"] == "bad"
    assert "No job runner evaluates the checks" in viewer_client.get("/").content.decode()


# --- Notes ---------------------------------------------------------------------------------------


def test_an_operator_acknowledges_and_it_stays_bad(
    state: Path, operator_client: Client, viewer_client: Client
) -> None:
    fields = {"note": f"Known {MARKUP}", "hours": "8"}
    assert operator_client.get("/checks/backup/acknowledge/").status_code == 200
    assert operator_client.post("/checks/backup/acknowledge/", fields).status_code == 302
    check = checks_of(viewer_client)["backup"]
    assert (check["state"], check["acknowledged"]["actor"]) == ("bad", "bob")
    text = viewer_client.get("/").content.decode()
    assert "bob knows: Known &lt;script&gt;" in text
    event = AuditEvent.objects.get(action="check.acknowledge")
    assert (event.target, event.actor) == ("backup", "bob")
    number = check["acknowledged"]["id"]
    assert operator_client.post(f"/checks/notes/{number}/withdraw/").status_code == 302
    assert checks_of(viewer_client)["backup"]["acknowledged"] is None


def test_a_note_ends_with_its_time(state: Path, operator_client: Client) -> None:
    operator_client.post("/checks/backup/acknowledge/", {"note": "Known", "hours": "1"})
    Acknowledgement.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert checks_of(operator_client)["backup"]["acknowledged"] is None
    assert remove_expired_acknowledgements(timezone.now()) == 1


def test_a_note_ends_when_the_check_gets_worse(state: Path, operator_client: Client) -> None:
    report(state, wait_ms=200)
    operator_client.post("/checks/lock-wait/acknowledge/", {"note": "Known", "hours": "1"})
    assert checks_of(operator_client)["lock-wait"]["acknowledged"]
    report(state, wait_ms=2_000, count=1_000)
    check = checks_of(operator_client)["lock-wait"]
    assert (check["state"], check["acknowledged"]) == ("bad", None)


@pytest.mark.parametrize("fields", [{"note": "", "hours": "1"}, {"note": "x", "hours": "5"}, {}])
def test_a_note_needs_words_and_a_time(
    state: Path, operator_client: Client, fields: dict[str, str]
) -> None:
    assert operator_client.post("/checks/backup/acknowledge/", fields).status_code == 422
    assert not Acknowledgement.objects.exists()


def test_only_what_is_not_good_can_be_acknowledged(state: Path, operator_client: Client) -> None:
    for name in ("stores", "lock-wait", "nonsense"):
        assert operator_client.get(f"/checks/{name}/acknowledge/").status_code == 404


# --- Scopes --------------------------------------------------------------------------------------


def test_who_sees_one_agent_sees_nothing_of_another(state: Path, bob: User, alice: User) -> None:
    report(state, "work", wait_ms=2_000)
    evaluate(2)
    admin = client_for(alice)
    admin.post("/checks/backup/acknowledge/", {"note": "About work and main", "hours": "8"})
    limit(bob, "main")
    client = client_for(bob)
    for path in ("/", "/overview.json", "/checks/", "/checks.json", "/checks.csv"):
        text = client.get(path).getvalue().decode().replace("network", "").replace("worked", "")
        assert "About work" not in text
        assert "work:" not in text
        assert '"work"' not in text
    assert Alert.objects.filter(agent="work", check_name="lock-wait").exists()
    assert "p95 2.0 s" not in client.get("/checks/").content.decode()
    assert "p95 2.0 s" in admin.get("/checks/").content.decode()


def test_who_sees_one_agent_goes_by_own_look_for_what_is_of_all(state: Path, bob: User) -> None:
    evaluate(2)
    CheckState.objects.filter(store_id="", check_name="disk").update(state="bad")
    limit(bob, "main")
    assert checks_of(client_for(bob))["disk"]["state"] == "ok"


def test_limits_of_locks_are_next_to_each_other(state: Path, viewer_client: Client) -> None:
    (state / "openclaw.json").write_text(
        json.dumps(
            {
                "meta": {"lastTouchedVersion": "2026.6.1"},
                "session": {"writeLock": {"acquireTimeoutMs": 20_000, "maxHoldMs": 900_000}},
            }
        )
    )
    text = viewer_client.get("/checks/").content.decode()
    assert "15:00 min" in text
    assert "openclaw.json: session.writeLock.maxHoldMs" in text
    check = checks_of(viewer_client)["limits"]
    assert check["state"] == "watch"
    assert "may be kept for 900 s" in check["detail"]


def test_every_check_of_facts_has_a_title_for_alerts(state: Path, viewer_client: Client) -> None:
    lock = state / "agents" / "main" / "sessions" / "gone.jsonl.lock"
    lock.write_text('{"pid": 4194303, "createdAt": "2026-01-05T07:30:00.000Z"}')
    names = checks_of(viewer_client).keys() | {"damaged", "skipped", "both-layouts"}
    assert "unexplained-locks" in names
    assert {name for name in names if title_of(name) == name} <= {"orphans"}


def test_limits_of_a_release_that_nobody_knows_are_listed_and_not_judged(
    state: Path, viewer_client: Client
) -> None:
    (state / "openclaw.json").write_text("{}")
    check = checks_of(viewer_client)["limits"]
    assert check["state"] == "unknown"
    assert "is not known" in check["sentence"]
    text = viewer_client.get("/checks/").content.decode()
    sure, _fold, possible = text.partition('<details id="limits-possible"')
    assert "2026.1.14 to 2026.2.12" in possible.partition("</details>")[0]
    assert "OpenClaw 2026" not in sure
    assert possible.partition("</details>")[0].count("Not judged") == 8
    assert 'data-state="watch"' not in possible.partition("</details>")[0]


def test_texts_that_would_be_markup_stay_text(
    state: Path, admin_client: Client, settings: Any
) -> None:
    now, secret = timezone.now(), "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2
    alert = Alert.objects.create(
        uid="a" * 32, kind="bad", agent=MARKUP, check_name=MARKUP[:60], state="bad",
        sentence=f"{MARKUP} {secret}", at=now,
    )  # fmt: skip
    alert.deliveries.create(target="webhook-1", next_at=now, attempts=1, problem=MARKUP)
    Threshold.objects.create(rule="disk", watch=2.0, bad=1.0, actor=MARKUP, changed_at=now)
    settings.ALERT_WEBHOOKS = ["https://hooks.example.org/services/T000/secretpath"]
    for path in ("/checks/", "/checks.json"):
        text = admin_client.get(path).content.decode()
        assert secret not in text
        assert "secretpath" not in text
    page = admin_client.get("/checks/").content.decode()
    assert "<script>window.broken" not in page
    assert page.count("&lt;script&gt;window.broken") == 5


def test_only_admins_see_where_alerts_go(
    state: Path, admin_client: Client, viewer_client: Client, settings: Any
) -> None:
    settings.ALERT_WEBHOOKS = ["https://hooks.example.org/services/T000/secretpath"]
    settings.ALERT_MAIL = ["ops@example.org"]
    assert "https://hooks.example.org/…" in admin_client.get("/checks/").content.decode()
    seen = viewer_client.get("/checks/").content.decode()
    for hidden in ("hooks.example.org", "ops@example.org", "test-alert"):
        assert hidden not in seen
