"""State directories for the screens: the demo, a hostile store, an empty place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sessionstore import demo
from sessionstore.store import open_store
from tests.dashboard.pages.hostile import build_hostile

Watch = Callable[[Path | None], None]


@pytest.fixture
def watch(settings: Any) -> Watch:
    """Return a function that makes the console look at another state directory."""

    def watch(path: Path | None) -> None:
        settings.STATE_DIR = path

    return watch


@pytest.fixture(scope="session")
def demo_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo of 400 sessions with its planted problems; tests only read it."""
    path = tmp_path_factory.mktemp("demo") / "state"
    demo.build(path, sessions=400)
    return path


@pytest.fixture
def demo_client(demo_state: Path, watch: Watch, viewer_client: Client) -> Client:
    """A viewer of the demo."""
    watch(demo_state)
    return viewer_client


@pytest.fixture
def small_state(tmp_path: Path, watch: Watch) -> Path:
    """Two agents with three people and one cron run between them, for tests that write."""
    path = tmp_path / "state"
    main = open_store(path / "agents" / "main" / "sessions")
    main.put("agent:main:telegram:direct:ada", entry("ada", 3_000, label="Ada", channel="telegram"))
    main.put("agent:main:signal:direct:lin", entry("lin", 2_000, label="Lin", channel="signal"))
    main.put("agent:main:cron:night", entry("cron", 5_000))
    work = open_store(path / "agents" / "work" / "sessions")
    work.put("agent:work:telegram:direct:ada", entry("ada2", 4_000, label="Ada at work"))
    watch(path)
    return path


def entry(name: str, updated_at: int, **fields: Any) -> dict[str, Any]:
    """An entry with a made-up session id."""
    return {"sessionId": f"id-{name}", "updatedAt": 1_790_000_000_000 + updated_at, **fields}


@pytest.fixture
def hostile_state(tmp_path: Path, watch: Watch) -> Path:
    """A store whose every text tries to be something else."""
    path = tmp_path / "hostile"
    build_hostile(path)
    watch(path)
    return path
