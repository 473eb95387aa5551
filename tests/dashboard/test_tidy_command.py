"""``manage.py sessions tidy``: dry run, doing it, taking it back, letting go, and refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dashboard.models import AuditEvent
from dashboard.services import tidy_command as work
from dashboard.services.migration_command import FAILED, GATEWAY, NOTHING, OK, USAGE
from tests.sessionstore.children.gateways import gateway_lock
from tests.sessionstore.maintenance.tidying import Home

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "agent:main:tui-old", "agent:main:tui-new"
SECRET = "sk-ant-api03-" + "A" * 40


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Home:
    """A watched store with a session of 2020 and its transcript, and one of just now."""
    made = Home(tmp_path)
    settings.STATE_DIR = tmp_path / "state"
    settings.GATEWAY_LOCK_DIR = made.gateway
    made.fill({OLD: {"sessionId": "old", "updatedAt": 1_577_836_800_000, "label": SECRET}})
    made.file("old.jsonl", 90)
    with made.open() as store:
        store.patch(NEW, {"sessionId": "new"})
    return made


def told(out: str) -> dict[str, Any]:
    [store] = json.loads(out)["stores"]
    found: dict[str, Any] = store
    return found


def test_dry_run_says_what_would_go_and_changes_nothing(sessions: Any, home: Home) -> None:
    before = {one: one.stat().st_mtime_ns for one in home.path.parent.rglob("*") if one.is_file()}
    status, out = sessions("tidy", "--agent", "main", "--prune-after", "30d", "--dry-run")
    assert status == OK
    assert "1 items would go" in out
    assert f"archive: {OLD}: Not updated for" in out
    assert before == {
        one: one.stat().st_mtime_ns for one in home.path.parent.rglob("*") if one.is_file()
    }


def test_it_is_done_recorded_and_taken_back(sessions: Any, home: Home) -> None:
    status, out = sessions("tidy", "--all", "--prune-after", "30d", "--json", "--reason", "spring")
    report = told(out)
    assert (status, report["done"], report["outcome"]) == (OK, 1, "tidied")
    with home.open() as store:
        assert store.keys() == [NEW]
    events = AuditEvent.objects.filter(action="tidy.run").order_by("sequence")
    assert [(one.outcome, one.reason) for one in events] == [
        ("started", "spring"),
        ("done", "spring"),
    ]
    status, out = sessions("tidy", "--all", "--runs")
    assert report["run"] in out
    status, out = sessions("tidy", "--all", "--take-back", report["run"])
    assert status == OK
    with home.open() as store:
        assert store.keys() == [NEW, OLD]
    assert (home.path.parent / "old.jsonl").exists()


def test_only_what_ended_is_removed(sessions: Any, home: Home) -> None:
    budget = ("--max-disk", "1b", "--take-back-days", "0", "--json")
    status, out = sessions("tidy", "--all", *budget)
    run = told(out)["run"]
    trash = home.path.parent / ".sessionstore" / "sessions" / "maintenance" / run / "trash"
    assert status == OK
    assert list(trash.iterdir())
    status, out = sessions("tidy", "--all", "--expire")
    assert status == OK
    assert list(trash.iterdir()) == []
    assert sessions("tidy", "--all", "--expire")[0] == NOTHING
    assert sessions("tidy", "--all", "--take-back", run)[0] == FAILED


def test_nothing_asked_for_does_nothing_and_says_so(sessions: Any, home: Home) -> None:
    status, out = sessions("tidy", "--all")
    assert status == NOTHING
    assert "The policy has no rule" in out
    assert not AuditEvent.objects.filter(action="tidy.run").exists()


def test_config_of_the_gateway_is_used_when_asked_for(
    sessions: Any, home: Home, settings: Any
) -> None:
    config = settings.STATE_DIR / "openclaw.json"
    config.write_text('{"session": {"maintenance": {"pruneAfter": "90d"}}}')
    assert sessions("tidy", "--all", "--dry-run")[0] == NOTHING
    assert sessions("tidy", "--all", "--dry-run", "--from-config")[0] == OK
    config.write_text('{"session": {"maintenance": {"pruneAfter": "soon"}}}')
    status, out = sessions("tidy", "--all", "--from-config")
    assert status == USAGE
    assert "session.maintenance.pruneAfter is 'soon'" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--prune-after", "a while"),
        ("--max-entries", "0"),
        ("--high-water", "5gb"),
        ("--protect-kind", "friends", "--max-entries", "5"),
        ("--take-back-days", "400"),
        ("--protect", "", "--max-entries", "5"),
    ],
)
def test_what_makes_no_sense_is_wrong_use(
    sessions: Any, home: Home, arguments: tuple[str, ...]
) -> None:
    assert sessions("tidy", "--all", *arguments)[0] == USAGE
    with home.open() as store:
        assert store.keys() == [NEW, OLD]


def test_read_only_console_refuses(sessions: Any, home: Home, settings: Any) -> None:
    settings.READ_ONLY = True
    assert sessions("tidy", "--all", "--prune-after", "30d")[0] == USAGE
    with home.open() as store:
        assert store.keys() == [NEW, OLD]


def test_legacy_store_beside_a_gateway_has_its_own_status(
    sessions: Any, tmp_path: Path, settings: Any
) -> None:
    home = Home(tmp_path, "legacy")
    settings.STATE_DIR, settings.GATEWAY_LOCK_DIR = tmp_path / "state", home.gateway
    home.fill({OLD: {"sessionId": "old", "updatedAt": 1_577_836_800_000}})
    gateway_lock(home.gateway, settings.STATE_DIR, os.getpid())
    assert sessions("tidy", "--all", "--prune-after", "30d")[0] == GATEWAY


def test_secrets_in_keys_are_masked(sessions: Any, home: Home) -> None:
    with home.open() as store:
        store.put(f"agent:main:hook:{SECRET}", {"sessionId": "s", "updatedAt": 1_577_836_800_000})
    for more in (("--dry-run",), ("--dry-run", "--json"), ("--json",)):
        _, out = sessions("tidy", "--all", "--prune-after", "30d", *more)
        assert SECRET.lower() not in out.lower()
    assert work.worst([]) == NOTHING
