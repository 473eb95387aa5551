"""One lab for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.incidents_lab.lab import Lab, made_lab, slow_sync


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab whose processes end with the test."""
    with made_lab(tmp_path / "state") as lab:
        yield lab


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slow disk, compiled."""
    library = slow_sync(tmp_path_factory.mktemp("shim"))
    if library is None:
        pytest.skip("a slow disk needs Linux and a C compiler: apt-get install gcc libc6-dev")
    return library
