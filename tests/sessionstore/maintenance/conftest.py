"""A clean store, and what a check says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sessionstore.maintenance.state import State, clean


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A store in the usual place, with nothing in it that a rule must find."""
    made = State(tmp_path / "state")
    clean(made)
    yield made
    made.store.close()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[State]:
    """An empty store in the usual place."""
    made = State(tmp_path / "bare")
    yield made
    made.store.close()
