"""A store of one session that the console watches, and people who may change it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.acting import Actor
from dashboard.services.fleet import fleet
from sessionstore.store import Store, open_store
from tests.conftest import REPOSITORY
from tests.dashboard.jobs.conftest import environment_for

KEY = "agent:main:main"


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    """A store of one session."""
    settings.STATE_DIR = tmp_path
    settings.GATEWAY_LOCK_DIR = tmp_path / "gateway"
    path = tmp_path / "agents" / "main" / "sessions"
    path.mkdir(parents=True)
    store = open_store(path)
    store.put(KEY, {"sessionId": "one", "updatedAt": 5, "label": "old", "totalTokens": 1})
    return store


@pytest.fixture
def store_id(store: Store) -> str:
    """The id of the store in addresses."""
    return fleet().scan().readers[0].id


@pytest.fixture
def actor(bob: User) -> Actor:
    """The operator bob."""
    return Actor(bob.pk, "bob", "operator", "127.0.0.1", "request-1")


@pytest.fixture
def admin(alice: User) -> Actor:
    """The admin alice."""
    return Actor(alice.pk, "alice", "admin", "127.0.0.1", "request-2")


@pytest.fixture
def transcript(store: Store) -> Path:
    """The transcript of the session."""
    path = store.path.parent / "one.jsonl"
    path.write_text('{"type":"session"}\n')
    return path


class Console:
    """A console with its own database and one agent's store, and processes that use it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.environment = environment_for(place, DJANGO_SETTINGS_MODULE="dashboard.settings")
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, cwd=REPOSITORY, env=self.environment, check=True, timeout=120)
        home = place / "state" / "agents" / "main" / "sessions"
        home.mkdir(parents=True)
        self.store = open_store(home)
        self._running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.dashboard.changing.child", *arguments]
        with (self.place / "errors").open("a") as errors:
            child = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._running.append(child)
        return child

    def result(self, child: subprocess.Popen[str]) -> Any:
        """What a child that came to its end has printed."""
        out, _err = child.communicate(timeout=90)
        assert child.returncode == 0, (self.place / "errors").read_text()
        return json.loads(out)

    def run(self, *arguments: str) -> Any:
        """Start a child and wait for its result."""
        return self.result(self.start(*arguments))

    def close(self) -> None:
        for child in self._running:
            if child.poll() is None:
                child.kill()
            child.wait(20)
            if child.stdout is not None:
                child.stdout.close()
        self.store.close()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console of its own; every process it started is ended."""
    console = Console(tmp_path_factory.mktemp("console"))
    yield console
    console.close()
