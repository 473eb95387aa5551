"""A bulk job whose runner is killed again and again: every session is changed once, none twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sessionstore.store import open_store
from sessionstore.versions import versions
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

SESSIONS = 120
KILLS = 4


class Console:
    """A console of its own, used by processes."""

    def __init__(self, place: Path) -> None:
        clean = {n: v for n, v in os.environ.items() if not n.startswith("SESSIONSTORE_")}
        self.environment = {
            **clean,
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "SESSIONSTORE_DATA_DIR": str(place / "var"),
            "SESSIONSTORE_STATE_DIR": str(place / "state"),
            "TMPDIR": str(place),
        }

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, *arguments]
        return subprocess.Popen(command, cwd=REPOSITORY, env=self.environment, text=True, **options)

    def result(self, *arguments: str) -> Any:
        child = self.start("-m", "tests.dashboard.bulk.child", *arguments, stdout=subprocess.PIPE)
        out, _nothing = child.communicate(timeout=60)
        assert child.returncode == 0
        return json.loads(out)

    def finished_report(self) -> Any:
        """What became of the job, once it is over."""
        deadline = time.monotonic() + 60
        while True:
            report = self.result("report")
            if report["job"]["state"] in ("done", "failed"):
                return report
            assert time.monotonic() < deadline, report
            time.sleep(0.5)


def test_a_runner_that_is_killed_again_and_again_changes_each_session_once(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path / "state" / "agents" / "main" / "sessions")
    keys = [f"agent:main:explicit:{number}" for number in range(SESSIONS)]
    for key in keys:
        store.put(key, {"sessionId": key, "thinkingLevel": "low"})
    console = Console(tmp_path)
    assert console.start("manage.py", "migrate", "-v0").wait(60) == 0
    console.result("ask")
    chance = random.Random(7)
    for _kill in range(KILLS):
        done = changed(tmp_path, keys)
        runner = console.start("manage.py", "jobs")
        deadline = time.monotonic() + 60
        while changed(tmp_path, keys) <= done and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)
        runner.kill()
        runner.wait(20)
    last = console.start("manage.py", "jobs")
    try:
        report = console.finished_report()
    finally:
        last.terminate()
        last.wait(20)
    assert report["job"] == {"state": "done", "done": SESSIONS, "skipped": 0, "failed": 0}
    recorded = Counter(key for _pk, key, _version in report["changes"])
    assert recorded == dict.fromkeys(keys, 1)
    assert {change for _key, _state, change in report["items"]} == {
        pk for pk, _key, _version in report["changes"]
    }
    for key in keys:
        assert (store.get(key) or {})["thinkingLevel"] == "high"
        assert len(versions(store, key)) == 1


def changed(place: Path, keys: list[str]) -> int:
    """How many sessions have the new value by now."""
    with open_store(place / "state" / "agents" / "main" / "sessions") as store:
        return sum((store.get(key) or {}).get("thinkingLevel") == "high" for key in keys)
