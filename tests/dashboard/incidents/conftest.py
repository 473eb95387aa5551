"""Planted consoles, and an admin who looks at all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.jobs import kinds
from tests.dashboard.incidents.planting import SAYS, World, plant

Plant = Callable[[Sequence[str]], World]


@pytest.fixture
def plant_texts(tmp_path: Path, settings: Any, alice: User, monkeypatch: Any) -> Plant:
    """Return a function that plants texts in a new state directory and in the console."""
    state = tmp_path / "state"
    settings.STATE_DIR = state
    monkeypatch.setitem(kinds.KINDS, SAYS.name, SAYS)
    return lambda texts: plant(state, texts, alice)
