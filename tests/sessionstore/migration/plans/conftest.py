"""The store that plans are made for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionstore import Store, open_store


@pytest.fixture
def store(home: Path, tmp_path: Path) -> Iterator[Store]:
    """The store, open, with no gateway anywhere."""
    with open_store(home, gateway_lock_dir=tmp_path / "gateway") as opened:
        yield opened
