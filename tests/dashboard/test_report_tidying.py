"""The console's chore of thinning out what writers report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.jobs.housekeeping import CHORES
from dashboard.services.report_tidying import tidy_all_reports
from sessionstore import open_store
from sessionstore.paths import StorePaths, store_paths
from sessionstore.recording.records import FOLDER
from tests.sessionstore.metrics.reporting import HOUR, NOW, names_of, report, window

pytestmark = pytest.mark.django_db
AT = datetime.fromtimestamp(NOW / 1000, tz=UTC)


@pytest.fixture
def stores(tmp_path: Path, settings: Any) -> list[StorePaths]:
    settings.STATE_DIR = tmp_path / "state"
    found = []
    for agent in ("main", "work"):
        path = settings.STATE_DIR / "agents" / agent / "sessions"
        with open_store(path, report=False) as store:
            store.put(f"agent:{agent}:main", {"n": 1})
        paths = store_paths(path)
        (paths.sidecar / FOLDER).mkdir()
        for pid in range(3):
            report(paths, [window(NOW - 5 * HOUR, pid=pid)], pid=pid)
        report(paths, [window(NOW - 80 * HOUR)], pid=9)
        found.append(paths)
    return found


def test_it_is_a_chore_and_goes_through_every_store(stores: list[StorePaths]) -> None:
    chore: Callable[[datetime], int] = CHORES["reports"]
    assert chore(AT) == 8
    assert [len(names_of(paths)) for paths in stores] == [1, 1]
    assert chore(AT) == 0


def test_a_store_that_fails_keeps_no_other_from_its_turn(
    stores: list[StorePaths], caplog: pytest.LogCaptureFixture
) -> None:
    (stores[0].sidecar / FOLDER).rename(stores[0].sidecar / "elsewhere")
    (stores[0].sidecar / FOLDER).symlink_to("elsewhere")
    assert tidy_all_reports(AT) == 4
    assert "UnsafeFileError" in caplog.text
    assert len(list((stores[0].sidecar / "elsewhere").iterdir())) == 4


def test_a_read_only_console_leaves_reports_alone(stores: list[StorePaths], settings: Any) -> None:
    settings.READ_ONLY = True
    assert tidy_all_reports(AT) == 0
    assert len(names_of(stores[0])) == 4
