"""A disk that is really full, a file size limit that is really reached."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionstore import Store, StoreIOError, open_store
from tests.sessionstore.conftest import Kind
from tests.sessionstore.helpers import entry, processes, temporary_files

A = "agent:main:a"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB; skipped where this user may not mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a small file system here: {error}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_full_disk_raises_and_leaves_every_entry(small_disk: Path, kind: Kind) -> None:
    path = small_disk / "sessions.json"
    if kind == "legacy":
        path.write_text("{}")
    with open_store(path, gateway_lock_dir=small_disk) as store:
        store.put(A, entry(label="old"))
        written = 0
        with pytest.raises(StoreIOError) as caught:
            for written in range(2000):
                store.put(f"agent:main:{written}", entry(text="x" * 3000))
        assert caught.value.errno == errno.ENOSPC
        assert "free some space" in caught.value.hint
        with pytest.raises(StoreIOError):
            store.put(A, entry(text="y" * 200_000))
        assert store.get(A) == entry(label="old")
        assert len(store.load()) == written + 1
        assert temporary_files(store) == []
        assert store.delete("agent:main:0") or kind == "legacy"


def write_over_limit(path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    with open_store(path) as store:
        try:
            store.put(A, entry(text="x" * 10_000))
        except StoreIOError as error:
            os._exit(0 if error.errno == errno.EFBIG and error.key == A else 3)
    os._exit(4)


def test_file_size_limit_raises_and_leaves_the_entry(store: Store) -> None:
    store.put(A, entry(label="old"))
    child = processes.Process(target=write_over_limit, args=(store.path,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert store.get(A) == entry(label="old")
    assert temporary_files(store) == []
