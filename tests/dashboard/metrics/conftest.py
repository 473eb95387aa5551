"""A watched state directory, a token, writers' reports, and a scrape that is parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.services import metrics_answer
from sessionstore.store import open_store
from tests.dashboard.metrics.reports import TOKEN, Scrape, scraped


@pytest.fixture
def var(settings: Any, tmp_path: Path) -> Path:
    """A data directory of this test's own, so that no total is of another test."""
    settings.DATA_DIR = tmp_path / "var"
    settings.DATA_DIR.mkdir(mode=0o700)
    return Path(settings.DATA_DIR)


@pytest.fixture
def agents(settings: Any, tmp_path: Path) -> Callable[..., list[Path]]:
    """Return a maker of agents with one session each: the folders of their stores."""
    state = tmp_path / "state"
    settings.STATE_DIR = state

    def make(*names: str) -> list[Path]:
        folders = [state / "agents" / name / "sessions" for name in names]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            with open_store(folder / "sessions.json", report=False) as store:
                store.put("agent:main:main", {"updatedAt": 1})
        return folders

    return make


@pytest.fixture
def scrape(settings: Any, var: Path, db: None) -> Iterator[Callable[[], Scrape]]:
    """Return a scrape: every sample of an answer that no earlier one is shared with."""
    settings.METRICS_TOKEN = TOKEN

    def scrape() -> Scrape:
        metrics_answer.forget()
        response = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 200
        return scraped(response.content.decode())

    yield scrape
    metrics_answer.forget()
