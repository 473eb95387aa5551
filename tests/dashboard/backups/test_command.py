"""The backup steps of ``manage.py sessions``: exit statuses, what is printed, what is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from dashboard.jobs import claiming
from dashboard.models import AuditEvent, Job
from dashboard.services import backup_command as work
from dashboard.services.backup_asking import ask_verify
from dashboard.services.migration_command import command_actor
from sessionstore.backup import list_backups
from sessionstore.keys import locate
from sessionstore.store import open_store
from tests.conftest import REPOSITORY
from tests.dashboard.backups.conftest import entry, fill, key_of, newest, store_of

pytestmark = pytest.mark.django_db(transaction=True)

USAGE = 2


def test_no_backup_is_nothing_to_list(sessions: Any, store: Path) -> None:
    assert sessions("backups")[0] == work.NOTHING


def test_it_backs_up_lists_verifies_and_proves(sessions: Any, state: Path) -> None:
    fill(state, "main")
    fill(state, "work", 2)
    status, out = sessions("backup", "--all", "--reason", "Nightly")
    assert status == work.OK
    assert {line.split(":")[0] for line in out.splitlines()} == {"main", "work"}
    status, out = sessions("backups", "--json")
    listed = json.loads(out)["backups"]
    assert (status, {one["store"]: one["sessions"] for one in listed}) == (
        0,
        {"main": 3, "work": 2},
    )
    ids = [one["id"] for one in listed]
    assert sessions("verify", *ids, "--depth", "part", "--part", "1/2")[0] == work.OK
    assert sessions("verify", "--agent", "main", "--newest")[0] == work.OK
    status, out = sessions("drill", "--all", "--newest", "--json")
    assert (status, len(json.loads(out)["items"])) == (work.OK, 2)
    assert newest().backup.proven_ms is not None
    assert AuditEvent.objects.filter(action="backup.drill", outcome="done").count() == 2


def test_a_damaged_backup_has_a_status_of_its_own(sessions: Any, store: Path) -> None:
    sessions("backup", "--all")
    path = newest().backup.path
    path.write_bytes(path.read_bytes()[:-20])
    assert sessions("verify", newest().backup.id)[0] == work.DAMAGED
    assert sessions("backups")[0] == work.DAMAGED


def test_what_is_not_there_is_wrong_use(sessions: Any, store: Path) -> None:
    assert sessions("verify", "20261129T190000Z-abcdef")[0] == USAGE
    assert sessions("backup", "--agent", "nobody")[0] == USAGE
    sessions("backup", "--all")
    assert sessions("verify", "--all", "--depth", "part", "--part", "0/3")[0] == USAGE
    assert sessions("prune", "--all")[0] == USAGE
    assert sessions("restore", newest().backup.id, "--in-place")[0] == USAGE


def test_prune_says_first_and_removes_then(sessions: Any, store: Path) -> None:
    for _ in range(3):
        sessions("backup", "--all")
    status, out = sessions("prune", "--all", "--keep-last", "1", "--dry-run", "--json")
    assert (status, json.loads(out)["removed"]) == (work.OK, 2)
    assert len(json.loads(sessions("backups", "--json")[1])["backups"]) == 3
    assert sessions("prune", "--all", "--keep-last", "1", "--reason", "Room")[0] == work.OK
    assert len(json.loads(sessions("backups", "--json")[1])["backups"]) == 1
    assert sessions("prune", "--all", "--keep-last", "1")[0] == work.NOTHING


def test_restore_compares_restores_to_a_new_place_and_in_place(sessions: Any, store: Path) -> None:
    sessions("backup", "--all")
    backup_id = newest().backup.id
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another"})
        opened.put(key_of(9), entry(9))
    status, out = sessions("restore", backup_id, "--dry-run", "--json")
    counts = json.loads(out)["items"][0]["counts"]
    assert (status, counts["changed"], counts["removed"]) == (work.OK, 1, 1)
    assert sessions("restore", backup_id, "--to", "here")[0] == work.OK
    with open_store(store.parent / "restored" / "here" / "sessions.json") as restored:
        assert len(restored.keys()) == 3
    assert sessions("restore", backup_id, "--to", "here")[0] == work.FAILED
    assert sessions("restore", backup_id, "--session", key_of(0), "--in-place")[0] == work.OK
    with store_of(store) as opened:
        assert opened.get(key_of(0)) == entry(0)
        assert opened.get(key_of(9)) is not None
    assert sessions("restore", backup_id, "--in-place", "--yes-everything")[0] == work.OK
    with store_of(store) as opened:
        assert opened.get(key_of(9)) is None


def test_a_command_that_was_killed_keeps_no_later_one_waiting(sessions: Any, store: Path) -> None:
    sessions("backup", "--all")
    job = ask_verify(command_actor(), [newest()], depth="everything")
    assert claiming.claim("a-command-that-was-killed", job_id=job.pk) is not None
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert sessions("backup", "--all")[0] == work.OK
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("done", 2)
    assert len(json.loads(sessions("backups", "--json")[1])["backups"]) == 2


def test_a_command_that_is_killed_leaves_no_half_backup_and_the_next_one_goes_on(
    state: Path, tmp_path: Path
) -> None:
    fill(state, sessions=3)
    folder = state / "agents" / "main" / "sessions" / "sessions.d"
    for number in range(3, 8_000):
        (folder / locate(key_of(number)).file_name).write_text(json.dumps(entry(number)))
    command = [sys.executable, "manage.py", "sessions", "backup", "--all", "--json"]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("SESSIONSTORE_", "DJANGO_"))},
        "SESSIONSTORE_STATE_DIR": str(state),
        "SESSIONSTORE_DATA_DIR": str(tmp_path / "var"),
        "SESSIONSTORE_GATEWAY_LOCK_DIR": str(tmp_path / "locks"),
    }
    root = state / ".sessionstore" / "backups"
    running = subprocess.Popen(command, cwd=REPOSITORY, env=environment)
    deadline = time.monotonic() + 60
    while not list(root.glob("main/.new-*")):
        assert running.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert list_backups(root) == []
    told = subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE)
    assert told.returncode == work.OK
    assert json.loads(told.stdout)["items"][0]["sessions"] == 8_000
    assert all(backup.sessions == 8_000 and not backup.problem for backup in list_backups(root))
    assert list(root.glob("main/.new-*")) == []
