"""Real runners: one evaluates at a time, a killed one is replaced, and kills lose no alert."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sessionstore.store import open_store
from tests.conftest import REPOSITORY
from tests.dashboard.jobs.conftest import environment_for


class Console:
    """A console on SQLite with runners that can be killed, and a webhook that can hang."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.got: list[dict[str, str]] = []
        self.hangs = threading.Event()
        self.hung = threading.Event()
        self._running: list[subprocess.Popen[bytes]] = []
        seen = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.got.append(json.loads(body))
                if seen.hangs.is_set():
                    seen.hung.set()
                    time.sleep(9)  # less than the sender waits; it is killed meanwhile
                    return
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.environment = environment_for(
            place,
            DJANGO_SETTINGS_MODULE="dashboard.settings",
            SESSIONSTORE_ALERT_WEBHOOK=f"http://127.0.0.1:{self._server.server_port}/",
        )
        self.manage("migrate", "-v0")

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=REPOSITORY, env=self.environment, check=True)

    def runner(self) -> subprocess.Popen[bytes]:
        with (self.place / "errors").open("ab") as errors:
            child = subprocess.Popen(
                [sys.executable, "manage.py", "jobs"],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=errors,
                stderr=errors,
            )
        self._running.append(child)
        return child

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.place / "var" / "console.sqlite3", timeout=20) as database:
            return database.execute(statement).fetchall()

    def change(self, statement: str) -> None:
        with sqlite3.connect(self.place / "var" / "console.sqlite3", timeout=20) as database:
            database.execute(statement)

    def wait(self, seen: Callable[[], bool], *, s: float = 60) -> None:
        deadline = time.monotonic() + s
        while not seen():
            assert time.monotonic() < deadline, (self.got, (self.place / "errors").read_text())
            time.sleep(0.1)

    def stop(self) -> None:
        for child in self._running:
            if child.poll() is None:
                child.kill()
            child.wait(20)
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with open_store(tmp_path / "state" / "agents" / "main" / "sessions") as store:
        store.put("agent:main:one", {"sessionId": "one"})
    console = Console(tmp_path)
    yield console
    console.stop()


_LAST = "SELECT max(evaluated_at) FROM dashboard_checkstate"


def about_backups(console: Console) -> list[str]:
    return [one["id"] for one in console.got if one["check"] == "backup"]


@pytest.mark.slow
def test_two_runners_tell_once_and_evaluate_one_at_a_time(console: Console) -> None:
    console.runner()
    console.runner()
    console.wait(lambda: bool(about_backups(console)))
    times: set[object] = set()

    def has_gone_on() -> bool:
        times.update(row[0] for row in console.ask(_LAST))
        return len(times) > 3

    console.wait(has_gone_on)
    assert len(about_backups(console)) == 1


@pytest.mark.slow
def test_a_runner_killed_between_sending_and_noting_sends_again_with_the_same_id(
    console: Console,
) -> None:
    console.hangs.set()
    first = console.runner()
    console.wait(console.hung.is_set)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(20)
    console.hangs.clear()
    told = list(console.got)
    # The lease of the one that died runs out; here a while sooner.
    console.change("UPDATE dashboard_alertdelivery SET next_at = '2026-01-01 00:00:00'")
    console.change("UPDATE dashboard_chore SET begun_at = '2026-01-01 00:00:00'")
    console.runner()
    console.wait(lambda: len(console.got) > len(told))
    console.wait(
        lambda: (
            console.ask("SELECT count(*) FROM dashboard_alertdelivery WHERE sent_at IS NULL")
            == [(0,)]
        )
    )
    ids = [one["id"] for one in console.got]
    assert ids[0] in ids[1:]
    assert console.ask("SELECT max(attempts) FROM dashboard_alertdelivery") == [(2,)]
    assert len(set(about_backups(console))) == 1


@pytest.mark.slow
def test_a_runner_that_ends_by_itself_evaluates_and_tells_too(console: Console) -> None:
    console.manage("jobs", "--once")
    assert len(about_backups(console)) == 1
    console.manage("jobs", "--once")
    assert len(about_backups(console)) == 1
