"""Real processes around one sidecar, under both protocols."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sessionstore.locks import FLOCK_FILES, OFD_RANGES, StoreLocks, open_locks
from sessionstore.locks.ofd import IS_SUPPORTED

REPOSITORY = Path(__file__).resolve().parents[3]
CHILD = Path(__file__).with_name("child.py")

Start = Callable[..., subprocess.Popen[str]]
Open = Callable[[], StoreLocks]

PROTOCOLS = [
    pytest.param(
        OFD_RANGES, marks=pytest.mark.skipif(not IS_SUPPORTED, reason="Linux has these locks")
    ),
    FLOCK_FILES,
]


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    """Each lock protocol in turn."""
    return str(request.param)


@pytest.fixture
def sidecar(tmp_path: Path) -> Path:
    """Where the locks live; not made yet."""
    return tmp_path / ".sessionstore" / "sessions"


@pytest.fixture
def open_more(sidecar: Path, protocol: str) -> Iterator[Open]:
    """Return a maker of further lock objects, each like another process to the kernel."""
    made: list[StoreLocks] = []

    def make() -> StoreLocks:
        made.append(open_locks(sidecar, protocol=protocol, program="tester"))
        return made[-1]

    yield make
    for locks in made:
        locks.close()


@pytest.fixture
def locks(open_more: Open) -> StoreLocks:
    """The locks of the test's own process."""
    return open_more()


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a starter of ``child.py`` processes; it waits until the child says it is ready."""
    children: list[subprocess.Popen[str]] = []

    def run(*arguments: object, wait: bool = True) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, str(CHILD), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        children.append(child)
        if wait:
            assert says(child) == "ready"
        return child

    yield run
    for child in children:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


def says(child: subprocess.Popen[str]) -> str:
    """The child's next line."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(child: subprocess.Popen[str]) -> None:
    """Let the child go on."""
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
