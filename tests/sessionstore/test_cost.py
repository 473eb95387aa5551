"""What one call costs the file system, and with which modes it leaves things."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import open_store
from tests.sessionstore.conftest import Kind, fill
from tests.sessionstore.helpers import entry

CHILDREN = Path(__file__).parent / "children"
# The interpreter's own, not the store's.
MEMORY = re.compile(r" (brk|mmap|munmap|madvise|mremap|futex)\(")
REPOSITORY = Path(__file__).resolve().parents[2]


def run(*command: str) -> str:
    """A child program with the repository on its path."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=[10, 10_000])
def counts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """File system events by call, in a store of so many sessions."""
    path = tmp_path_factory.mktemp("counts") / "sessions.json"
    return json.loads(
        run(sys.executable, str(CHILDREN / "counting.py"), str(path), str(request.param))
    )


@pytest.mark.parametrize("call", ["get", "get_odd", "etag", "updated_at", "missing"])
def test_read_opens_one_file_and_lists_nothing(counts: Any, call: str) -> None:
    assert counts[call] == ["open"]


@pytest.mark.parametrize("call", ["update", "patch", "put_odd", "create"])
def test_write_opens_two_files_and_lists_nothing(counts: Any, call: str) -> None:
    assert counts[call] == ["open", "open", "os.rename"]


def test_unchanged_write_opens_one_file(counts: Any) -> None:
    assert counts["unchanged"] == ["open"]


def test_delete_opens_one_file_and_lists_nothing(counts: Any) -> None:
    assert counts["delete"] == ["open", "os.remove"]


@pytest.mark.parametrize("sessions", [1, 1000])
def test_update_takes_at_most_13_system_calls(tmp_path: Path, sessions: int) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    path, log, times = tmp_path / "sessions.json", tmp_path / "log", 50
    with open_store(path) as store:
        store.save({f"agent:main:{number}": entry() for number in range(sessions)})
    command = [sys.executable, str(CHILDREN / "tracing.py"), str(path), str(times)]
    try:
        run("strace", "-f", "-o", str(log), *command)
    except AssertionError as error:
        pytest.skip(f"strace may not trace here: {error}")
    lines = log.read_text().splitlines()
    marks = [number for number, line in enumerate(lines) if "-of-updates" in line]
    assert len(marks) == 2
    calls = [line for line in lines[marks[0] + 1 : marks[1]] if not MEMORY.search(line)]
    assert len(calls) / times <= 13.2


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Set this process's umask for one test."""
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


@pytest.mark.usefixtures("umask")
def test_modes_are_0600_and_0700_under_every_umask(tmp_path: Path) -> None:
    root = tmp_path / "a"
    with open_store(root / "b" / "sessions.json") as store:
        for number in range(3):
            store.put("agent:main:a", entry(n=number))
            store.put(".odd", entry(n=number))
        store.reset("agent:main:a")
        (store.paths.directory / "agent%3Amain%3Aa.json").write_bytes(b"{")
        store.put("agent:main:a", entry())
    modes = {
        str(path.relative_to(root)): oct(path.stat().st_mode & 0o7777)
        for path in [root, *root.rglob("*")]
    }
    folders = {str(path.relative_to(root)) for path in [root, *root.rglob("*")] if path.is_dir()}
    assert {name: mode for name, mode in modes.items() if name in folders} == dict.fromkeys(
        folders, "0o700"
    )
    assert {mode for name, mode in modes.items() if name not in folders} == {"0o600"}


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o400])
@pytest.mark.parametrize("kind", ["directory", "adopted", "legacy"])
def test_rewriting_a_file_gives_it_mode_0600(tmp_path: Path, kind: Kind, mode: int) -> None:
    path = tmp_path / "sessions.json"
    fill(kind, path, {"agent:main:a": entry()})
    for file in [*tmp_path.rglob("*.json")]:
        if file.is_file():
            file.chmod(mode)
    with open_store(path, gateway_lock_dir=tmp_path) as store:
        store.patch("agent:main:a", {"n": 1})
        data = path if kind == "legacy" else store.paths.directory / "agent%3Amain%3Aa.json"
        assert data.stat().st_mode & 0o7777 == 0o600


def test_adoption_closes_a_directory_that_was_open_to_others(tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    fill("adopted", path, {"agent:main:a": entry()})
    path.with_suffix(".d").chmod(0o755)
    with open_store(path) as store:
        store.patch("agent:main:a", {"n": 1})
        assert store.paths.directory.stat().st_mode & 0o7777 == 0o700
