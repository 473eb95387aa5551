"""The console needs no more than to read the store: no other right, and no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY

_MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" "$3" "$1"'
_APART = ["unshare", "--map-root-user", "--mount", "--net"]


@pytest.fixture(scope="module")
def apart() -> list[str]:
    """How a program gets mounts and a network of its own; skipped where that is barred."""
    try:
        subprocess.run([*_APART, "true"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("this machine lets nobody have mounts of their own")
    return _APART


def test_a_console_that_may_only_read_shows_everything_and_changes_nothing(
    apart: list[str], demo_state: Path, tmp_path: Path
) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if "SESSIONSTORE_" not in name},
        "SESSIONSTORE_STATE_DIR": str(demo_state),
        "SESSIONSTORE_DATA_DIR": str(tmp_path / "data"),
        "PYTHONPATH": str(REPOSITORY),
    }
    program = str(REPOSITORY / "tests" / "dashboard" / "least_power.py")
    ran = subprocess.run(
        [*apart, "sh", "-c", _MOUNT, "sh", str(demo_state), sys.executable, program],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert found["mount"] == "Read-only file system"
    assert found["network"] == "OSError"
    assert set(found["pages"].values()) == {200}, found["pages"]
    assert found["status"] == 503
    assert "mounted read-only" in found["text"]
    assert "Traceback" not in found["text"]
