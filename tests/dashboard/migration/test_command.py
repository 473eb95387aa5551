"""``manage.py sessions``: its exit statuses, what it prints, and what it leaves on record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.models import AuditEvent, Job
from dashboard.services import migration_command as work
from sessionstore.store import open_store
from tests.dashboard.migration.conftest import Legacy

pytestmark = pytest.mark.django_db(transaction=True)


def layout_of(path: Path) -> str:
    with open_store(path) as store:
        return store.layout


def test_it_migrates_every_store_and_sums_up_in_one_line(sessions: Any, legacy: Legacy) -> None:
    paths = [legacy("one"), legacy("two", 5)]
    status, out = sessions("migrate", "--all", "--reason", "Nightly")
    assert status == work.OK
    assert out.splitlines()[-1] == "2 stores: 2 done."
    assert [layout_of(path) for path in paths] == ["directory", "directory"]
    job = Job.objects.get()
    assert (job.via, job.role, job.reason) == ("command", "admin", "Nightly")
    assert job.actor.startswith("command line (")
    assert AuditEvent.objects.filter(action="store.migrate", actor=job.actor).count() == 2


def test_a_dry_run_says_what_would_be_done_and_asks_for_no_job(
    sessions: Any, legacy: Legacy
) -> None:
    path = legacy("main", 5)
    before = path.read_bytes()
    status, out = sessions("migrate", "--agent", "main", "--dry-run", "--json")
    assert status == work.OK
    told = json.loads(out)
    assert told["stores"][0]["counts"]["move"] == 5
    assert told["stores"][0]["would"] == "migrated"
    assert (path.read_bytes(), layout_of(path)) == (before, "legacy")
    assert not Job.objects.exists()


def test_a_dry_run_plans_with_the_guard_that_the_run_leaves(
    sessions: Any, legacy: Legacy, state: Path
) -> None:
    legacy()
    (state / "openclaw.json").write_text("{}")
    digests = []
    for arguments in ((), ("--guard",), ("--no-guard",)):
        _status, out = sessions("migrate", "--all", "--dry-run", "--json", *arguments)
        digests.append(json.loads(out)["stores"][0]["digest"])
    assert digests[0] == digests[1] != digests[2]


def test_nothing_to_do_has_a_status_of_its_own(sessions: Any, legacy: Legacy) -> None:
    legacy()
    assert sessions("migrate", "--all")[0] == work.OK
    assert sessions("migrate", "--all")[0] == work.NOTHING


def test_a_missing_agent_or_store_is_wrong_use(
    sessions: Any, legacy: Legacy, tmp_path: Path
) -> None:
    legacy()
    assert sessions("migrate", "--agent", "nobody")[0] == work.USAGE
    assert sessions("migrate", "--store", str(tmp_path))[0] == work.USAGE


@pytest.mark.parametrize("spelt", ["sessions.json", "sessions.d", ""])
def test_a_store_is_named_by_its_file_or_its_folder(
    sessions: Any, legacy: Legacy, spelt: str
) -> None:
    path = legacy()
    status, _out = sessions("migrate", "--store", str(path.parent / spelt))
    assert (status, layout_of(path)) == (work.OK, "directory")


def test_a_failed_store_is_the_status_and_the_others_are_migrated(
    sessions: Any, legacy: Legacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [legacy("one"), legacy("two")]
    (paths[0].parent / ".sessionstore").write_text("a file where a folder must be")
    status, out = sessions("migrate", "--all")
    assert status == work.FAILED
    assert out.splitlines()[-1] == "2 stores: 1 done, 1 not done."
    assert layout_of(paths[1]) == "directory"


def test_openclaw_asks_for_a_choice(sessions: Any, legacy: Legacy, state: Path) -> None:
    path = legacy()
    (state / "openclaw.json").write_text("{}")
    for arguments in (("--dry-run",), ()):
        assert sessions("migrate", "--all", *arguments)[0] == work.CHOICE
    assert layout_of(path) == "legacy"
    assert sessions("migrate", "--all", "--yes-i-know")[0] == work.OK
    assert path.is_dir()


def test_without_the_guard_nothing_stands_in_place_of_the_file(
    sessions: Any, legacy: Legacy, state: Path
) -> None:
    path = legacy()
    (state / "openclaw.json").write_text("{}")
    assert sessions("migrate", "--all", "--yes-i-know", "--no-guard")[0] == work.OK
    assert not path.exists()


def test_a_running_gateway_is_a_refusal(
    sessions: Any, legacy: Legacy, state: Path, gateway: Any
) -> None:
    path = legacy()
    gateway(state)
    for arguments in (("--dry-run",), ()):
        status, out = sessions("migrate", "--all", "--yes-i-know", *arguments)
        assert status == work.GATEWAY
        assert "gateway" in out
    assert layout_of(path) == "legacy"


def test_it_moves_everything_back(sessions: Any, legacy: Legacy) -> None:
    path = legacy()
    assert sessions("rollback", "--all")[0] == work.NOTHING
    sessions("migrate", "--all")
    with open_store(path) as store:
        store.put("agent:main:direct:new", {"sessionId": "new"})
    assert sessions("rollback", "--all", "--dry-run")[0] == work.OK
    assert layout_of(path) == "directory"
    status, out = sessions("rollback", "--agent", "main")
    assert (status, layout_of(path)) == (work.OK, "legacy")
    assert "4 sessions" in out
    assert "agent:main:direct:new" in json.loads(path.read_text())


def test_it_exports_a_file_that_was_not_there(
    sessions: Any, legacy: Legacy, tmp_path: Path
) -> None:
    legacy()
    sessions("migrate", "--all")
    target = tmp_path / "out.json"
    assert sessions("export", "--all", "--to", str(target))[0] == work.OK
    assert len(json.loads(target.read_text())) == 3
    assert target.stat().st_mode & 0o777 == 0o600
    assert sessions("export", "--all", "--to", str(target))[0] == work.FAILED
    assert AuditEvent.objects.filter(action="store.export", outcome="done").count() == 1


def test_a_read_only_console_refuses(sessions: Any, legacy: Legacy, settings: Any) -> None:
    path = legacy()
    settings.READ_ONLY = True
    assert sessions("migrate", "--all")[0] == work.USAGE
    assert layout_of(path) == "legacy"
