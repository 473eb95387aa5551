"""What several test modules need: stores made without the code under test, and looks at the disk.

File names and contents are built here from the format's description alone, so that a mistake in
``sessionstore.keys`` cannot hide itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from sessionstore import Keeper, Store
from sessionstore.aio import AsyncStore

T = TypeVar("T")
Entry = dict[str, Any]

SCALE = float(os.environ.get("SESSIONSTORE_TEST_SCALE", "1"))
"""Multiplies the repeats of the heavy tests."""

NOW = 1_790_000_000_000  # epoch milliseconds, in the past of every machine this runs on

# A clean process that forks: quick to start from, and without this process's threads.
processes = get_context("forkserver")
processes.set_forkserver_preload(["__main__", "sessionstore", "sessionstore.aio"])


def scaled(count: int, *, least: int = 1) -> int:
    """A number of repeats, as SESSIONSTORE_TEST_SCALE asks."""
    return max(least, int(count * SCALE))


def entry(**fields: Any) -> Entry:
    """A small, sound entry."""
    return {"sessionId": "s-1", "updatedAt": NOW, **fields}


def old_name(key: str) -> str:
    """The file name that PR 42186 gives a key."""
    for char, code in (("%", "%25"), ("/", "%2F"), ("\\", "%5C"), (":", "%3A")):
        key = key.replace(char, code)
    return f"{key}.json"


def side_name(key: str) -> str:
    """The file name of a key that has no ordinary one."""
    return f"x/{hashlib.sha256(key.encode()).hexdigest()}.json"


def json_bytes(value: object) -> bytes:
    """JSON as OpenClaw writes it."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode()


def write_legacy(path: Path, mapping: Mapping[str, Any]) -> Path:
    """A ``sessions.json`` as the JSON-era program leaves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json_bytes(mapping))
    path.chmod(0o600)
    return path


def write_unadopted(path: Path, mapping: Mapping[str, Any]) -> Path:
    """A ``sessions.d`` as PR 42186 leaves it, beside the store file ``path``."""
    directory = path.with_suffix(".d")
    directory.mkdir(parents=True, exist_ok=True)
    for key, value in mapping.items():
        (directory / old_name(key)).write_bytes(json_bytes(value))
    return path


def side_file(directory: Path, key: str, value: object) -> Path:
    """Write a file below ``x/`` of a directory layout."""
    path = directory / side_name(key)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(json_bytes({"sessionKey": key, "entry": value}))
    return path


def file_of(store: Store, key: str) -> Path:
    """The one file that holds a folded key's entry, whichever name it may have."""
    for name in (old_name(key), side_name(key)):
        try:
            if os.path.lexists(store.paths.directory / name):
                return store.paths.directory / name
        except OSError:
            continue  # too long to be a name
    raise FileNotFoundError(key)


def sound(store: Store) -> bool:
    """Whether the store reports nothing above ``info``."""
    return [found for found in store.problems() if found.severity != "info"] == []


def temporary_files(store: Store) -> list[str]:
    """Files left in any staging folder, and names in the store that only a crash can leave."""
    staging = store.paths.sidecar / "tmp"
    left = [str(path) for path in staging.rglob("*") if not path.is_dir()]
    return left + [str(path) for path in store.path.parent.rglob("*.tmp")]


def picture(*roots: Path) -> dict[str, tuple[Any, ...]]:
    """Every file below the roots: inode, mode, size, time and content."""
    seen: dict[str, tuple[Any, ...]] = {}
    for root in roots:
        for path in sorted([root, *root.rglob("*")]):
            status = path.lstat()
            body = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            seen[str(path)] = (
                status.st_ino,
                status.st_mode,
                status.st_size,
                status.st_mtime_ns if body else 0,
                body,
            )
    return seen


def data_picture(store: Store) -> dict[str, Any]:
    """The data files only: our own folder may hold whatever it likes."""
    sidecar = str(store.paths.sidecar.parent)
    seen = picture(store.path.parent)
    return {path: found for path, found in seen.items() if not path.startswith(sidecar)}


def quarantined(store: Store) -> list[tuple[Entry, Path]]:
    """(note, file) of everything set aside that has its file."""
    folder = store.paths.sidecar / "quarantine"
    notes = sorted(folder.glob("*.json")) if folder.is_dir() else []
    pairs = [(json.loads(note.read_bytes()), note.with_suffix(".file")) for note in notes]
    return [(note, file) for note, file in pairs if os.path.lexists(file)]


def in_threads(count: int, call: Callable[[int], T]) -> list[T]:
    """``call(0) … call(count - 1)``, each in its own thread."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def in_processes(target: Callable[..., None], *arguments: tuple[Any, ...]) -> None:
    """Run one child per argument tuple to its end; each must exit with 0."""
    children = [processes.Process(target=target, args=each) for each in arguments]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        if child.exitcode is None:
            child.kill()
    assert [child.exitcode for child in children] == [0] * len(children)


@contextmanager
def child(target: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """A running child that gets one end of a pipe as its last argument; killed at the end."""
    ours, theirs = processes.Pipe()
    process = processes.Process(target=target, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        yield Child(process, ours)
    finally:
        process.kill()
        process.join(10)
        ours.close()


class Child:
    """A child process and the pipe to it."""

    def __init__(self, process: Any, pipe: Any) -> None:
        self.process = process
        self.pipe = pipe

    def hear(self, timeout_s: float = 30.0) -> Any:
        """The next thing it says."""
        assert self.pipe.poll(timeout_s), "the child said nothing"
        return self.pipe.recv()

    def say(self, word: Any) -> None:
        self.pipe.send(word)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.join(10)
        assert self.process.exitcode is not None


class SyncedStore:
    """An :class:`AsyncStore` behind plain calls, so that one suite serves both.

    Its loop has a thread of its own: the browser tests leave a running loop in the main thread.
    """

    def __init__(self, store: AsyncStore) -> None:
        self.twin = store
        self.paths = store.blocking.paths
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadPoolExecutor(1)

    def _run(self, awaited: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(self._loop.run_until_complete, awaited).result()

    @property
    def path(self) -> Path:
        return self.twin.path

    @property
    def agent_id(self) -> str | None:
        return self.twin.agent_id

    @property
    def layout(self) -> str:
        return self._run(self.twin.layout())

    def keeping(self, keeper: Keeper) -> SyncedStore:
        kept = object.__new__(SyncedStore)
        kept.twin, kept.paths = self.twin.keeping(keeper), self.paths
        kept._loop, kept._thread = self._loop, self._thread
        return kept

    @property
    def keeper(self) -> Keeper | None:
        return self.twin.keeper

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.twin, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._run(method(*args, **kwargs))

        return call

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._run(self.twin.close())
        self._loop.close()
        self._thread.shutdown()


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own, in a thread of its own.

    The browser tests leave a running loop behind in the main thread.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, main).result()
