"""Where to measure: memory for the cost of our code, a disk, and a journaled ext4 if asked for.

A disk without a journal, or with synchronous discard, is no ext4 as most people have it; a loop
mount is. Nothing below a disk is removed before the end: after bulk deletes a journal-less ext4
avoids the freed inodes for minutes, and creating a file costs twenty times as much.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 3 << 30
LOOP_BYTES = 6 << 30
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class Place:
    """A directory on one file system. ``kind`` chooses the limits: tmpfs, ext4 or disk."""

    kind: str
    path: Path
    file_system: str
    _count: int = field(default=0)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new, empty directory; on tmpfs it goes when the block ends."""
        self._count += 1
        path = self.path / str(self._count)
        path.mkdir()
        yield path
        if self.kind == "tmpfs":
            shutil.rmtree(path)


def say(line: str) -> None:
    """Tell whoever watches; results go to the table and the JSON."""
    print(line, flush=True)


@contextmanager
def open_places(directory: Path | None, *, loop: bool) -> Iterator[list[Place]]:
    """The places this machine offers; says what is left out and why."""
    with ExitStack() as stack:
        places = []
        if _is_roomy(MEMORY):
            path = stack.enter_context(_scratch(MEMORY))
            places.append(Place("tmpfs", path, "tmpfs"))
        else:
            say(f"skipped: tmpfs ({MEMORY} is missing or has under {MEMORY_BYTES >> 30} GiB free)")
        if loop:
            mounted = stack.enter_context(_loop_mount(_disk(directory)))
            if mounted is not None:
                places.append(Place("ext4", mounted, "ext4, journaled, loop mount"))
        else:
            say("skipped: journaled ext4 (pass --loop, as root)")
        path = stack.enter_context(_scratch(_disk(directory)))
        places.append(Place(*_disk_kind(path)))
        yield places


def _disk(directory: Path | None) -> Path:
    path = directory or CHECKOUT / "var" / "benchmarks"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _is_roomy(path: Path) -> bool:
    return path.is_dir() and shutil.disk_usage(path).free >= MEMORY_BYTES


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="sessionstore-benchmark-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _loop_mount(parent: Path) -> Iterator[Path | None]:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        say("skipped: journaled ext4 (needs root and mkfs.ext4)")
        yield None
        return
    with _scratch(parent) as scratch:
        image, point = scratch / "image", scratch / "mount"
        point.mkdir()
        with open(image, "wb") as file:
            file.truncate(LOOP_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-i", "4096", image], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", image, point], capture_output=True)
        if mounted.returncode:
            say(f"skipped: journaled ext4 ({mounted.stderr.decode().strip()})")
            yield None
            return
        try:
            yield point
        finally:
            _unmount(point)


def _unmount(point: Path) -> None:
    # The kernel may still be letting go of files that ended processes had open.
    for _ in range(20):
        if not subprocess.run(["umount", point], capture_output=True).returncode:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "--lazy", point], check=True)


def _disk_kind(path: Path) -> tuple[str, Path, str]:
    """Kind, path and description; a journaled ext4 disk has the limits of ext4."""
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == number:
            name, source = after.split()[:2]
            journaled = any(Path("/proc/fs/jbd2").glob(f"{Path(source).name}-*"))
            if name == "ext4":
                return ("ext4", path, "ext4") if journaled else ("disk", path, "ext4, no journal")
            return "disk", path, name
    return "disk", path, "unknown"
