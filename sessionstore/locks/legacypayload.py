"""OpenClaw's lock file ``sessions.json.lock``: what it says, and whether its owner lives.

Format and rules: openclaw-interop.md "Locking: the facts", openclaw-format.md §7.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .identity import liveness, start_of
from .shown import LAST_MS

LegacyVerdict = Literal["alive", "owner-gone", "pid-reused", "unreadable"]

UNREADABLE_GRACE_S = 30.0
_MAX_BYTES = 64 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class LegacyFile:
    """One reading of the lock file. ``stamp`` and ``content`` tell it from any other file."""

    path: Path
    stamp: tuple[int, int, int, int]
    content: bytes
    modified_s: float
    pid: int | None
    start: int | None
    created_at_ms: int | None
    max_hold_ms: int | None = None
    uid: int = -1
    is_regular: bool = True

    @property
    def since_ms(self) -> int:
        """When it was taken, by its own word or else by the file's time."""
        return self.created_at_ms or int(self.modified_s * 1000)


def legacy_lock_path(store_path: Path) -> Path:
    """Where OpenClaw locks this store: the directory's real path, the file's own name."""
    return Path(os.path.realpath(store_path.parent)) / f"{store_path.name}.lock"


def new_payload() -> bytes:
    """The content of a lock file of this process."""
    pid = os.getpid()
    created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    payload: dict[str, Any] = {"pid": pid, "createdAt": created}
    if os.path.exists("/proc/self/stat"):
        payload["starttime"] = start_of(pid)
    return json.dumps(payload, indent=2).encode()


def read_legacy_file(path: Path) -> LegacyFile | None:
    """Read a lock file; None when there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(fd)
        is_plain = stat.S_ISREG(status.st_mode)
        content = os.pread(fd, _MAX_BYTES, 0) if is_plain else b""
    finally:
        os.close(fd)
    return parse_legacy_file(path, status, content)


def parse_legacy_file(path: Path, status: os.stat_result, content: bytes) -> LegacyFile:
    """What a lock file's content says."""
    payload = read_payload(content)
    return LegacyFile(
        path=path,
        stamp=(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size),
        content=content,
        modified_s=status.st_mtime,
        pid=whole_number(payload.get("pid")),
        start=whole_number(payload.get("starttime")),
        created_at_ms=epoch_ms(payload.get("createdAt", payload.get("startedAt"))),
        max_hold_ms=whole_number(payload.get("maxHoldMs")),
        uid=status.st_uid,
        is_regular=stat.S_ISREG(status.st_mode),
    )


def read_payload(content: bytes) -> dict[str, Any]:
    """The JSON object in a lock file, {} when there is none."""
    try:
        payload = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def whole_number(value: object) -> int | None:
    """A positive integer of the payload, None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63:
        return value
    return None


def epoch_ms(value: object) -> int | None:
    """A time of the payload: ISO text, or a number of milliseconds (before 2026.2.13)."""
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return None
        at_ms = int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    else:
        at_ms = whole_number(value) or 0
    return at_ms if 0 < at_ms <= LAST_MS else None


def owner_runs(pid: int, start: int | None) -> tuple[LegacyVerdict, str]:
    """Whether the process that a lock file names still runs, with the evidence."""
    alive = liveness(pid)
    if alive in ("gone", "zombie"):
        return "owner-gone", f"Process {pid} " + (
            "does not exist any more." if alive == "gone" else "has ended (it is a zombie)."
        )
    now = start_of(pid)
    if start is None or now is None:
        return "alive", f"Process {pid} runs; its start time cannot be compared."
    if start != now:
        sentence = f"Process {pid} started at {now}, not at {start} as the lock file says."
        return "pid-reused", f"{sentence} The number was used again."
    return "alive", f"Process {pid} runs and started when the lock file says."
