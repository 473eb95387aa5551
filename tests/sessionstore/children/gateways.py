"""Programs beside us, as OpenClaw's JSON era writes: with its lock file, or without any."""

from __future__ import annotations

import hashlib
import json
import os
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def start_time(pid: int) -> int:
    """Field 22 of ``/proc/<pid>/stat``."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def lock_payload(pid: int) -> bytes:
    created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {"pid": pid, "createdAt": created, "starttime": start_time(pid)}, indent=2
    ).encode()


def gateway_lock(folder: Path, state: Path, pid: int, **more: Any) -> Path:
    """The lock file of a gateway on a state directory."""
    config = str(state / "openclaw.json")
    name = f"gateway.{hashlib.sha256(config.encode()).hexdigest()[:8]}.lock"
    path = folder / f"openclaw-{os.getuid()}" / name
    path.parent.mkdir(parents=True)
    payload = {"pid": pid, "createdAt": "2026-06-01T00:00:00.000Z", "configPath": config, **more}
    path.write_text(json.dumps(payload))
    return path


def take(lock: Path) -> None:
    """OpenClaw's own way: create it exclusively, try again after a pause."""
    pause_s = 0.005
    while True:
        try:
            fd = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            time.sleep(pause_s)
            continue
        os.write(fd, lock_payload(os.getpid()))
        os.close(fd)
        return


def increment(path: Path, key: str, times: int) -> None:
    """Read, change and replace the whole file under ``sessions.json.lock``."""
    lock = path.with_name(f"{path.name}.lock")
    for number in range(times):
        take(lock)
        store = json.loads(path.read_bytes())
        store[key]["count"] = store[key].get("count", 0) + 1
        temporary = path.with_name(f"{path.name}.{os.getpid()}.{number}.tmp")
        temporary.write_bytes(json.dumps(store, indent=2, ensure_ascii=False).encode())
        temporary.rename(path)
        lock.unlink()
        time.sleep(0.001)


def keep_locked(path: Path, pipe: Connection) -> None:
    """Hold ``sessions.json.lock`` until told to go on."""
    lock = path.with_name(f"{path.name}.lock")
    take(lock)
    pipe.send("held")
    pipe.recv()
    lock.unlink()
    pipe.send("done")
