"""``manage.py sessions blobs``: switching, looking and collecting, on record."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from dashboard.models import AuditEvent
from dashboard.services.blobs import finish_all
from sessionstore import Store, open_store
from sessionstore.blobswitch import blob_status
from tests.sessionstore.helpers import entry, write_legacy

pytestmark = pytest.mark.django_db(transaction=True)

BIG = {"prompt": "skill\n" * 6000}


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Iterator[Store]:
    """The only store of a watched state directory, with 20 equal large values."""
    settings.STATE_DIR = tmp_path / "state"
    settings.GATEWAY_LOCK_DIR = tmp_path
    path = tmp_path / "state" / "agents" / "main" / "sessions" / "sessions.json"
    with open_store(path) as store:
        for number in range(20):
            store.put(f"agent:main:{number}", entry(skillsSnapshot=BIG))
        yield store


def test_switching_on_and_off_says_what_was_done_and_is_on_record(
    sessions: Any, store: Store
) -> None:
    status, out = sessions("blobs", "on", "--agent", "main", "--reason", "smaller")
    assert (status, "20 sessions rewritten." in out) == (0, True)
    status, out = sessions("blobs", "status", "--all", "--json")
    [told] = json.loads(out)["stores"]
    assert (told["state"], told["folded"], told["blobs"]) == ("on", 20, 1)
    assert told["saved_bytes"] > 600_000
    assert (store.get("agent:main:3") or {})["skillsSnapshot"] == BIG
    status, out = sessions("blobs", "off", "--agent", "main")
    assert (status, "20 sessions rewritten." in out) == (0, True)
    events = AuditEvent.objects.filter(action__startswith="store.blobs.").order_by("sequence")
    assert [(event.action, event.outcome) for event in events] == [
        ("store.blobs.on", "started"),
        ("store.blobs.on", "done"),
        ("store.blobs.off", "started"),
        ("store.blobs.off", "done"),
    ]


def test_read_only_console_changes_nothing(sessions: Any, store: Store, settings: Any) -> None:
    settings.READ_ONLY = True
    status, said = sessions("blobs", "on", "--agent", "main")
    assert status == 2 and "read-only" in said
    assert not (store.paths.sidecar / "blobs").exists()


def test_legacy_store_fails_with_what_to_do(sessions: Any, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "state" / "agents" / "old" / "sessions" / "sessions.json"
    write_legacy(path, {"agent:old:a": entry(skillsSnapshot=BIG)})
    status, out = sessions("blobs", "on", "--agent", "old")
    assert status == 1 and "one file per session" in out
    assert AuditEvent.objects.filter(action="store.blobs.on", outcome="failed").count() == 1


def test_housekeeping_only_finishes_what_a_command_retired(sessions: Any, store: Store) -> None:
    sessions("blobs", "on", "--agent", "main")
    for number in range(20):
        store.patch(f"agent:main:{number}", {"skillsSnapshot": None})
    for retired, removed in ((0, 0), (1, 1)):
        for path in (store.paths.sidecar / "blobs").rglob("*"):
            if path.is_file():
                os.utime(path, (time.time() - 90_000,) * 2)
        assert blob_status(store.paths).retired == retired
        assert finish_all(timezone.now()) == removed
        assert blob_status(store.paths).retired == 0
        if not removed:
            sessions("blobs", "collect", "--all")
    status, out = sessions("blobs", "collect", "--all")
    assert (status, "0 were removed" in out) == (0, True)
