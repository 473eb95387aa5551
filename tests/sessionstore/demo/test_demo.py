"""The demo is realistic, the same for the same seed, and its writers stop when they should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionstore import discover, held_locks, open_store
from sessionstore.demo import build, fill, is_demo, run_writers, start_writer, stop_writers
from sessionstore.demo.cast import HOT_KEY
from sessionstore.demo.problems import AWKWARD_KEYS, BLOATED_KEY, DAMAGED_KEY, DUPLICATE_KEY
from sessionstore.index import KINDS, Index
from tests.sessionstore.helpers import NOW, temporary_files


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A freshly built demo."""
    build(tmp_path / "state", now_ms=NOW)
    return tmp_path / "state"


def store_file(demo: Path, agent: str) -> Path:
    return demo / "agents" / agent / "sessions" / "sessions.json"


def indexes(demo: Path) -> dict[str, Index]:
    found = {paths.agent_id or "": Index(paths) for paths in discover(demo)}
    for index in found.values():
        index.refresh()
    return found


def test_demo_has_an_agent_of_every_sort(demo: Path) -> None:
    found = indexes(demo)
    assert {name: index.layout for name, index in found.items()} == {
        "main": "directory",
        "work": "legacy",
        "research": "directory",
        "ops": "directory",
        "family": "empty",
        "old-assistant": "legacy",
        "shared": "empty",
    }
    origins = {paths.agent_id: paths.origin for paths in discover(demo)}
    assert (origins["family"], origins["old-assistant"]) == ("default", "discovered")
    total = sum(index.summary().sessions for index in found.values())
    assert 590 <= total <= 630
    for name in ("main", "ops", "research"):
        marker = store_file(demo, name).with_suffix(".d") / ".store.json"
        assert marker.exists() is (name != "research")


def test_demo_has_every_kind_of_session(demo: Path) -> None:
    kinds: set[str] = set()
    for index in indexes(demo).values():
        kinds |= index.summary().facets["kind"].keys()
    assert set(KINDS) - kinds <= {"unknown"}


def test_demo_has_problems_to_find(demo: Path) -> None:
    rules = {
        name: sorted({found.rule for found in index.problems()})
        for name, index in indexes(demo).items()
    }
    assert rules == {
        "main": [],
        "work": ["damaged-entry", "duplicate-key"],
        "research": ["duplicate-key"],
        "ops": ["damaged-entry", "foreign-file", "unsafe-file"],
        "family": [],
        "old-assistant": [],
        "shared": ["linked-path"],
    }
    ops, research = indexes(demo)["ops"], indexes(demo)["research"]
    assert all(ops.get(key) for key in (*AWKWARD_KEYS, DAMAGED_KEY, BLOATED_KEY))
    largest = ops.summary().largest
    assert largest is not None
    assert largest.key == BLOATED_KEY
    assert "large" in largest.flags
    assert research.get(DUPLICATE_KEY) is not None
    files = {path.name for path in store_file(demo, "main").parent.iterdir()}
    for part in (".jsonl.lock", ".jsonl.reset.", ".jsonl.deleted.", "sessions.json.bak."):
        assert any(part in name for name in files)


def test_demo_shows_overrides_and_failovers(demo: Path) -> None:
    flags: set[str] = set()
    for index in indexes(demo).values():
        flags |= index.summary().facets["flag"].keys()
    assert {"failover", "pinned", "archived", "aborted", "no-session-id"} <= flags


def test_same_seed_gives_the_same_demo(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        build(tmp_path / name, sessions=120, seed=seed, now_ms=NOW)

    def entries(name: str) -> dict[str, object]:
        return dict(open_store(store_file(tmp_path / name, "work")).load())

    assert entries("a") == entries("b")
    assert entries("a") != entries("c")


def test_demo_says_that_it_is_invented(demo: Path) -> None:
    assert is_demo(demo)
    assert "invented" in (demo / "DEMO.txt").read_text()


def test_demo_is_not_built_over_anything(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("mine")
    for path in (demo, tmp_path / "full"):
        with pytest.raises(FileExistsError):
            build(path)
    assert not is_demo(tmp_path / "full")


def test_filled_store_is_sound_and_of_the_asked_size(tmp_path: Path) -> None:
    assert fill(tmp_path / "sessions.json", 3000) == 3000
    with open_store(tmp_path / "sessions.json") as store:
        assert len(store.keys()) == 3000
        assert store.problems() == []
        assert temporary_files(store) == []
        assert store.layout == "directory"


def test_writers_write_and_make_locks_visible(demo: Path) -> None:
    path = store_file(demo, "main")
    with open_store(path) as store:
        before = store.load()
        writers = [start_writer(demo, number, rate=60) for number in range(3)]
        try:
            until = time.monotonic() + 20
            waited = False
            while time.monotonic() < until and not waited:
                held = held_locks(store)
                waited = any(lock.key == HOT_KEY and lock.waiters for lock in held)
                time.sleep(0.05)
        finally:
            codes = stop_writers(writers)
        assert waited
        assert codes == [0, 0, 0]
        after = store.load()
        assert sum(before.get(key) != entry for key, entry in after.items()) > 5
        # What is left is planted: the lock file of a transcript, of a process that is gone.
        left = [(lock.scope, lock.is_proven_dead) for lock in held_locks(store)]
        assert left == [("transcript", True)]
        assert temporary_files(store) == []
    assert not (store_file(demo, "research").with_suffix(".d") / ".store.json").exists()


def test_writers_stop_on_sigterm(demo: Path) -> None:
    command = [sys.executable, "-m", "sessionstore.demo", str(demo), "--writers"]
    process = subprocess.Popen(command)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until = time.monotonic() + 10
    while len(children.read_text().split()) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    pids = [int(pid) for pid in children.read_text().split()]
    assert len(pids) == 3
    time.sleep(1)
    process.terminate()
    assert process.wait(10) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_writer_stops_when_its_parent_is_gone(demo: Path) -> None:
    code = (
        "import sys, time; from sessionstore.demo import start_writer;"
        "print(start_writer(sys.argv[1], 1).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(demo)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 60
    # An empty command line is a zombie of an init that does not reap.
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not runs(pid)


def runs(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_writers_end_after_the_given_time(demo: Path) -> None:
    started = time.monotonic()
    assert run_writers(demo, processes=2, seconds=1.0) == 0
    assert time.monotonic() - started < 60


def test_writers_touch_only_demos(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a demo"):
        run_writers(tmp_path)
    assert os.listdir(tmp_path) == []
