"""The lock file: made once by whoever comes first, healed when empty, never misread."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from sessionstore.errors import UnsafeFileError, UnsupportedStoreError
from sessionstore.locks import FLOCK_FILES, OFD_RANGES, StoreLocks, open_locks
from tests.sessionstore.locks.conftest import Open

KEY = "agent:main:main"


def test_opening_creates_nothing(sidecar: Path, protocol: str) -> None:
    open_locks(sidecar, protocol=protocol).close()
    assert not sidecar.exists()


def test_first_lock_writes_one_line_that_names_the_protocol(
    sidecar: Path, protocol: str, locks: StoreLocks
) -> None:
    locks.release(locks.acquire(KEY, "update", 1.0))
    path = sidecar / "lock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(sidecar.stat().st_mode) == 0o700
    assert path.read_text().endswith("}\n")
    assert json.loads(path.read_text())["protocol"] == protocol


def test_many_creators_write_one_line(sidecar: Path, open_more: Open) -> None:
    objects = [open_more() for _ in range(16)]
    barrier = threading.Barrier(16)
    done: list[int] = []

    def create(locks: StoreLocks) -> None:
        barrier.wait(10.0)
        locks.release(locks.acquire(KEY, "update", 20.0))
        done.append(1)

    threads = [threading.Thread(target=create, args=(locks,)) for locks in objects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert len(done) == 16
    assert (sidecar / "lock").read_text().count("\n") == 1


@pytest.mark.parametrize("left", [b"", b'{"format":"sess'], ids=["empty", "half a line"])
def test_file_of_a_creator_that_died_is_completed(
    sidecar: Path, protocol: str, locks: StoreLocks, left: bytes
) -> None:
    sidecar.mkdir(parents=True)
    (sidecar / "lock").write_bytes(left)
    locks.release(locks.acquire(KEY, "update", 1.0))
    assert json.loads((sidecar / "lock").read_text())["protocol"] == protocol


def test_store_is_never_used_with_two_protocols(
    sidecar: Path, protocol: str, locks: StoreLocks
) -> None:
    other = FLOCK_FILES if protocol == OFD_RANGES else OFD_RANGES
    early = open_locks(sidecar, protocol=other)
    locks.release(locks.acquire(KEY, "update", 1.0))
    with pytest.raises(UnsupportedStoreError, match="protocol"):
        open_locks(sidecar, protocol=other)
    with pytest.raises(UnsupportedStoreError, match="protocol"):
        early.acquire(KEY, "update", 1.0)


@pytest.mark.parametrize(
    "content",
    [b"someone's notes\n", b'{"format":"sessionstore-lock","version":2,"protocol":"x"}\n', b"[]\n"],
)
def test_file_of_another_format_is_refused_and_kept(
    sidecar: Path, protocol: str, content: bytes
) -> None:
    sidecar.mkdir(parents=True)
    (sidecar / "lock").write_bytes(content)
    with pytest.raises(UnsupportedStoreError):
        open_locks(sidecar, protocol=protocol)
    assert (sidecar / "lock").read_bytes() == content


def test_unknown_protocol_is_refused(sidecar: Path) -> None:
    with pytest.raises(UnsupportedStoreError):
        open_locks(sidecar, protocol="carrier-pigeon").acquire(KEY, "update", 1.0)


def test_link_in_place_of_the_lock_file_is_refused(
    sidecar: Path, locks: StoreLocks, tmp_path: Path
) -> None:
    sidecar.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (sidecar / "lock").symlink_to(victim)
    with pytest.raises((UnsafeFileError, OSError)):
        locks.acquire(KEY, "update", 1.0)
    assert victim.read_text() == "precious"
