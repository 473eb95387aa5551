"""Many processes write one chain, one of them is killed, and a check runs meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WRITERS, EVENTS = 4, 60
WRITE = f"""
import sys
from dashboard import audit
for number in range({EVENTS}):
    audit.record(None, action=sys.argv[1], target=str(number))
"""
WRITE_FOREVER = """
from dashboard import audit
while True:
    audit.record(None, action="killed")
"""


class Place:
    """A data directory of its own, with the console's commands in it."""

    def __init__(self, data: Path) -> None:
        self.environment = {**os.environ, "SESSIONSTORE_DATA_DIR": str(data)}
        self.environment["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
        )

    def start(self, code: str, *arguments: str) -> subprocess.Popen[bytes]:
        begin = "import django; django.setup()\n"
        return subprocess.Popen(
            [sys.executable, "-c", begin + code, *arguments], cwd=REPOSITORY, env=self.environment
        )

    def events(self) -> int:
        found = re.search(r"unbroken, ([\d,]+) events", self.run("verify_audit").stdout)
        assert found
        return int(found[1].replace(",", ""))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A migrated database, with the triggers that other tests do without."""
    place = Place(tmp_path / "var")
    assert place.run("migrate", "--verbosity", "0").returncode == 0
    return place


def test_processes_write_one_chain_though_one_is_killed(place: Place) -> None:
    victim = place.start(WRITE_FOREVER)
    while place.events() == 0:
        time.sleep(0.05)
    writers = [place.start(WRITE, f"writer {number}") for number in range(WRITERS)]
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    during = place.events()
    assert [writer.wait(100) for writer in writers] == [0] * WRITERS
    assert place.events() >= max(during, WRITERS * EVENTS)


def test_what_one_process_wrote_no_other_can_change(place: Place) -> None:
    writer = place.start(WRITE, "writer")
    assert writer.wait(100) == 0
    change = "from django.db import connection as c; c.cursor().execute({!r})"
    for statement in (
        "UPDATE dashboard_auditevent SET actor = 'x'",
        "DELETE FROM dashboard_auditevent",
    ):
        assert place.start(change.format(statement)).wait(100) != 0
    assert place.events() == EVENTS
