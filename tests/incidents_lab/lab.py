"""Incidents made on purpose: real processes, real locks, real files, on a state of their own.

Each method makes one incident and gives what is needed to know how it went. Whatever still runs at
the end is killed. Lengths are arguments: a test has seconds where an operator has minutes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sessionstore.keys import lock_offset
from sessionstore.locks import OFD_RANGES, HeldLock, held_locks, slots
from sessionstore.locks.identity import own_identity, start_of
from sessionstore.metrics import History
from sessionstore.paths import StorePaths, store_paths
from sessionstore.store import Store, open_store

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
PATIENCE_S = 60.0
HOT_KEY = "agent:main:telegram:group:-1001234567890"
FOREIGN_HOST = "gateway-two"


@dataclass(slots=True)
class Actor:
    """One process of an incident."""

    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def told(self) -> dict[str, Any]:
        """The next line that it says; blocks until it does."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"process {self.pid} said nothing and ended"
        told: dict[str, Any] = json.loads(line)
        return told

    def let_go(self) -> None:
        """Have a holder let go before its time."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self) -> int:
        """How it ended; waits for it."""
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End it at once, as the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait(PATIENCE_S)


@dataclass(slots=True)
class Lab:
    """A state directory with the store of the agent main, and whoever works on it."""

    state: Path
    actors: list[Actor] = field(default_factory=list)

    @property
    def paths(self) -> StorePaths:
        return store_paths(self.state / "agents" / "main" / "sessions")

    def store(self, **options: Any) -> Store:
        """The store, for the test itself."""
        return open_store(self.paths, gateway_lock_dir=self.state, **options)

    def locks(self) -> list[HeldLock]:
        """What the library says is held now, lock files of transcripts included."""
        paths = self.paths
        return held_locks(paths.sidecar, store_path=paths.store_path, transcripts=True)

    def history(self) -> History:
        """What writers have reported by now."""
        history = History(self.paths)
        history.refresh()
        return history

    def start(self, act: str, *arguments: object, **environment: str) -> Actor:
        """Start a process and wait until it is where it should be."""
        (actor,) = self.start_all(1, act, *arguments, **environment)
        return actor

    def start_all(
        self, count: int, act: str, *arguments: object, **environment: str
    ) -> list[Actor]:
        """Start the same process several times at once, and wait for all."""
        command = [sys.executable, str(_HERE / "actors.py"), act, *map(str, arguments)]
        known = os.environ | {"PYTHONPATH": str(_ROOT)} | environment
        pipe = subprocess.PIPE
        started = [
            Actor(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=known))
            for _ in range(count)
        ]
        self.actors += started
        for actor in started:
            actor.told()
        return started

    def stop(self) -> None:
        """Kill whoever still runs."""
        for actor in self.actors:
            if actor.process.poll() is None:
                actor.kill()
            for pipe in (actor.process.stdin, actor.process.stdout):
                if pipe is not None:
                    pipe.close()

    # -- the incidents -----------------------------------------------------------------

    def hold_over_waiters(
        self,
        *,
        hold_s: float = 60.0,
        waiters: int = 40,
        limit_s: float = 30.0,
        processes: int = 4,
    ) -> tuple[Actor, list[Actor]]:
        """One holder keeps a session while others want it, each for at most its limit.

        It lets go after ``hold_s``, or earlier by :meth:`Actor.let_go`.
        """
        path = self.paths.store_path
        holder = self.start("hold", path, HOT_KEY, hold_s)
        each = waiters // processes
        return holder, self.start_all(processes, "wait", path, HOT_KEY, each, limit_s)

    def heat(
        self, *, processes: int = 8, seconds: float = 4.0, hold_s: float = 0.002
    ) -> list[Actor]:
        """So many processes update one session without a pause."""
        path = self.paths.store_path
        return self.start_all(processes, "heat", path, HOT_KEY, seconds, hold_s)

    def write_to_slow_disk(self, shim: Path, *, sync_ms: int = 120, times: int = 25) -> Actor:
        """One process writes, and every sync of it takes long. For ``shim`` see :func:`slow_sync`.

        Ends before this returns.
        """
        environment = {"LD_PRELOAD": str(shim), "SLOW_SYNC_MS": str(sync_ms)}
        path, key = self.paths.store_path, "agent:main:slow"
        actor = self.start("write", path, key, times, **environment)
        actor.told()
        assert actor.ended() == 0
        return actor

    def killed_holder(self, *, waiters: int = 3) -> tuple[Actor, Actor]:
        """A holder is killed in the middle of its update, while others wait. Returns both."""
        path = self.paths.store_path
        holder = self.start("hold", path, HOT_KEY, 600)
        others = self.start("wait", path, HOT_KEY, waiters, 60)
        self.until(lambda: [len(one.waiters) for one in self.locks()] == [waiters])
        holder.kill()
        return holder, others

    def leave_transcript_lock(self, name: str, pid: int, start: int | None) -> Path:
        """A transcript's lock file as OpenClaw leaves it, naming a process."""
        folder = self.paths.store_path.parent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.jsonl").write_text("{}\n")
        created = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 90))
        payload = {"pid": pid, "createdAt": created, "starttime": start}
        path = folder / f"{name}.jsonl.lock"
        path.write_text(json.dumps(payload))
        return path

    def lock_of_killed(self, name: str = "killed") -> Path:
        """The lock file of a process that was killed."""
        gone = self.start("idle")
        start = start_of(gone.pid)
        gone.kill()
        return self.leave_transcript_lock(name, gone.pid, start)

    def lock_of_reused_pid(self, name: str = "reused") -> tuple[Path, Actor]:
        """A lock file whose process number belongs to another process now, that runs."""
        other = self.start("idle")
        started = start_of(other.pid) or 0
        return self.leave_transcript_lock(name, other.pid, max(started - 12_345, 1)), other

    def foreign_table(self, *, held_s: float = 45.0, key: str = HOT_KEY) -> Path:
        """The live table of a process on another machine of this disk, which holds a session."""
        identity = dataclasses.replace(
            own_identity("gateway"), host=FOREIGN_HOST, boot_id="6c1f0000-another-boot", pid=4242
        )
        data = bytearray(slots.pack_header(identity, OFD_RANGES).ljust(slots.TABLE_BYTES, b"\0"))
        since_ns, name = int((time.time() - held_s) * 1e9), key.encode()
        body = (slots.HOLDING, slots.SESSION_SCOPE, len(name), since_ns, 10.0, lock_offset(key))
        slots.BODY.pack_into(data, slots.HEADER_BYTES + 4, *body, b"update", name)
        folder = self.paths.sidecar / "live"
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / f"{FOREIGN_HOST}-4242-1"
        path.write_bytes(data)
        return path

    @staticmethod
    def until(seen: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until something is so."""
        end = time.monotonic() + patience_s
        while not seen():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.05)


def results_of(actors: Sequence[Actor]) -> list[dict[str, Any]]:
    """What came of every waiter of :meth:`Lab.hold_over_waiters`; waits for them."""
    results = [result for actor in actors for result in actor.told()["results"]]
    assert [actor.ended() for actor in actors] == [0] * len(actors)
    return results


def slow_sync(folder: Path) -> Path | None:
    """Compile the slow disk; None where there is no C compiler or the system is not Linux."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "slowsync.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_HERE / "slowsync.c")]
    subprocess.run([*command, "-ldl"], check=True, capture_output=True)
    return library


@contextmanager
def made_lab(state: Path) -> Iterator[Lab]:
    """A lab with one quiet session, whose processes end with the block."""
    lab = Lab(state)
    lab.paths.store_path.parent.mkdir(parents=True, exist_ok=True)
    with lab.store(report=False) as store:
        store.put("agent:main:main", {"sessionId": "main", "updatedAt": 1})
    try:
        yield lab
    finally:
        lab.stop()
