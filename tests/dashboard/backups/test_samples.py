"""Every sample state directory is backed up, proven and restored to a new place, all equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.services.backup_catalogue import catalogue
from dashboard.services.fleet import fleet
from sessionstore.store import open_store
from tests.dashboard.backups.conftest import last_job, run_jobs

pytestmark = pytest.mark.django_db

#: Those that keep sessions in files; the others have only databases of later releases.
NAMES = ("openclaw-2026.3.31", "openclaw-2026.6.11", "openclaw-2026.7.1-2", "openclaw-2026.9.6")


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_backed_up_proven_and_restored_equal(
    name: str,
    admin_client: Client,
    copy_sample: Callable[[str], Path],
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.STATE_DIR = copy_sample(name)
    settings.GATEWAY_LOCK_DIR = tmp_path / "locks"
    settings.RESTORED_DIR = tmp_path / "restored"
    readers = fleet().refreshed().readers
    assert readers
    answer = admin_client.post("/backups/new/", {"store": [reader.id for reader in readers]})
    assert answer.status_code == 302
    run_jobs()
    assert [item.state for item in last_job().items.all()] == ["done"] * len(readers)
    for reader in readers:
        [kept] = catalogue().of_store(reader.id)
        page = f"/backups/{kept.backup.id}/"
        admin_client.post(f"{page}verify/", {"depth": "drill"})
        run_jobs()
        assert last_job().items.get().state == "done", last_job().items.get().message
        admin_client.post(f"{page}place/", {"name": reader.id, "reason": "To compare"})
        run_jobs()
        with (
            open_store(reader.paths.store_path) as source,
            open_store(tmp_path / "restored" / reader.id / "sessions.json") as copy,
        ):
            assert copy.load() == source.load()
            assert copy.layout == source.layout or source.layout == "empty"
        assert admin_client.post(f"{page}compare/", {}).status_code == 302
