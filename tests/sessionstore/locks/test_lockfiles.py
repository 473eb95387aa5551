"""Transcript locks and the store's lock file: which owner lives, and what speaks against that."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sessionstore import HeldLock, held_locks, open_store, view_locks
from sessionstore.locks.filejudging import judge_file
from sessionstore.locks.identity import own_identity, start_of
from sessionstore.locks.legacypayload import read_legacy_file
from sessionstore.locks.lockfiles import MOST_READ
from sessionstore.locks.mounts import file_system_of
from sessionstore.locks.neighbours import Neighbours
from tests.sessionstore.helpers import picture
from tests.sessionstore.locks.conftest import REPOSITORY, Start

DEAD_PID = 2**22 + 1  # above the highest pid that Linux gives
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
ON_MACHINE = pytest.mark.skipif(
    not Neighbours().sees_machine, reason="this process is in a container itself"
)
IN_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def may_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return not subprocess.run([*IN_NAMESPACE, "true"], capture_output=True, check=False).returncode


NEEDS_NAMESPACES = pytest.mark.skipif(not may_unshare(), reason="may not make pid namespaces")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store's directory, with the store file's place in it."""
    path = tmp_path / "sessions"
    path.mkdir()
    return path


def iso(age_s: float) -> str:
    at = datetime.fromtimestamp(time.time() - age_s, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_lock(folder: Path, age_s: float = 0.0, name: str = "s-1", /, **payload: object) -> Path:
    path = folder / f"{name}.jsonl.lock"
    payload.setdefault("createdAt", iso(age_s))
    path.write_text(json.dumps(payload, indent=2))
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def ours() -> dict[str, object]:
    return {"pid": os.getpid(), "starttime": start_of(os.getpid())}


def look(folder: Path) -> HeldLock:
    with open_store(folder / "sessions.json") as store:
        (held,) = held_locks(store)
    return held


def test_transcript_lock_of_a_living_owner_is_held(folder: Path) -> None:
    path = write_lock(folder, 5.0, **ours())
    held = look(folder)
    assert (held.scope, held.key, held.verdict) == ("transcript", None, "alive")
    assert (held.pid, held.path, held.limit_s) == (os.getpid(), str(path), 300.0)
    assert held.host == socket.gethostname()
    assert held.program
    assert abs(held.started_at_ms - own_identity().started_at_ms) < 5000
    assert 4 < held.held_s < 60
    assert held.evidence
    assert not held.is_proven_dead


def test_looking_at_transcript_locks_changes_nothing(folder: Path) -> None:
    write_lock(folder, 99_999.0, pid=DEAD_PID, starttime=1)
    before = picture(folder)
    look(folder)
    assert picture(folder) == before


@pytest.mark.parametrize(
    ("age_s", "payload", "limit_s"),
    [(301.0, {}, 300.0), (8.0, {"maxHoldMs": 5000}, 5.0), (99_999.0, {"maxHoldMs": 5000}, 5.0)],
)
def test_living_owner_over_its_limit_is_told_and_never_dead(
    folder: Path, age_s: float, payload: dict[str, object], limit_s: float
) -> None:
    write_lock(folder, age_s, **ours(), **payload)
    held = look(folder)
    assert (held.verdict, held.limit_s) == ("over-limit", limit_s)
    assert any("over the" in sentence for sentence in held.evidence)
    assert not held.is_proven_dead


def test_owner_may_allow_itself_more_than_the_usual_limit(folder: Path) -> None:
    write_lock(folder, 700.0, **ours(), maxHoldMs=720_000)
    held = look(folder)
    assert (held.verdict, held.limit_s) == ("alive", 720.0)


@ON_MACHINE
def test_ended_owner_is_gone_with_openclaws_reasons(folder: Path) -> None:
    write_lock(folder, 4000.0, pid=DEAD_PID, starttime=1, maxHoldMs=720_000)
    held = look(folder)
    assert (held.verdict, held.against) == ("owner-gone", ())
    assert held.is_proven_dead
    assert any("dead-pid, too-old, hold-exceeded" in sentence for sentence in held.evidence)


@ON_MACHINE
def test_number_of_another_living_process_was_used_again(folder: Path, start: Start) -> None:
    other = start("legacy", folder.parent / "other.json")
    write_lock(folder, 60.0, pid=other.pid, starttime=start_of(os.getpid()))
    held = look(folder)
    assert (held.verdict, held.program) == ("pid-reused", "")
    assert held.is_proven_dead
    assert any("recycled-pid" in sentence for sentence in held.evidence)


def test_living_number_without_a_start_time_is_in_doubt_and_not_dead(folder: Path) -> None:
    write_lock(folder, 99_999.0, pid=os.getpid())
    held = look(folder)
    assert (held.verdict, held.is_proven_dead) == ("over-limit", False)
    assert held.against


@ON_LINUX
def test_program_or_title_of_the_owner_proves_nothing(folder: Path, start: Start) -> None:
    child = start("legacy", folder.parent / "other.json")  # no OpenClaw by its command line
    write_lock(folder, 1.0, pid=child.pid, starttime=start_of(child.pid))
    held = look(folder)
    assert held.verdict == "alive"
    assert not any("stale" in sentence for sentence in held.evidence)


@ON_LINUX
@ON_MACHINE
def test_start_time_after_now_is_of_an_earlier_boot(folder: Path) -> None:
    write_lock(folder, 60.0, pid=DEAD_PID, starttime=(start_of(os.getpid()) or 0) * 1000 + 10**9)
    held = look(folder)
    assert held.verdict == "owner-gone"
    assert any("not run as long" in sentence for sentence in held.evidence)


@ON_LINUX
def test_lock_from_before_the_last_start_says_so(folder: Path) -> None:
    write_lock(folder, time.time() - 1_000_000_000, pid=DEAD_PID, starttime=1)
    assert any("last started" in sentence for sentence in look(folder).evidence)


@ON_LINUX
def test_dead_number_on_a_shared_file_system_is_another_hosts(folder: Path) -> None:
    found = read_legacy_file(write_lock(folder, 60.0, pid=DEAD_PID, starttime=1))
    assert found is not None
    assert file_system_of(Path("/proc")) == "proc"  # no kind that belongs to one machine
    judged = judge_file(replace(found, path=Path("/proc/s.jsonl.lock")), "transcript", Neighbours())
    assert judged.verdict == "other-host"
    assert "proc" in judged.against[0]


@ON_LINUX
def test_living_owner_on_a_shared_file_system_is_alive(folder: Path) -> None:
    found = read_legacy_file(write_lock(folder, 60.0, **ours()))
    assert found is not None
    judged = judge_file(replace(found, path=Path("/proc/s.jsonl.lock")), "transcript", Neighbours())
    assert judged.verdict == "alive"


# -- containers --------------------------------------------------------------------------------

HOLDING = """
import json, os, sys, time
from sessionstore.locks.identity import start_of
fd = os.open(sys.argv[1], os.O_CREAT | os.O_EXCL | os.O_WRONLY)
created = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
payload = {"pid": os.getpid(), "createdAt": created, "starttime": start_of(os.getpid())}
if len(sys.argv) > 2:
    del payload["starttime"]
os.write(fd, json.dumps(payload).encode())
print("ready", flush=True)
sys.stdin.readline()
"""
LOOKING = """
import json, sys
from sessionstore import held_locks, open_store
with open_store(sys.argv[1]) as store:
    print(json.dumps([[held.verdict, held.against] for held in held_locks(store)]))
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}


@pytest.fixture
def contained(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is number 1 of its own pid namespace and holds a transcript's lock."""
    command = [*IN_NAMESPACE, sys.executable, "-c", HOLDING, str(folder / "s-1.jsonl.lock")]
    with holding(command) as child:
        yield child
        end(child)


def holding(command: list[str]) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    return child


def end(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.close()


@NEEDS_NAMESPACES
@ON_MACHINE
def test_owner_in_a_container_lives_though_its_number_is_anothers_here(
    folder: Path, contained: subprocess.Popen[str]
) -> None:
    assert json.loads((folder / "s-1.jsonl.lock").read_text())["pid"] == 1
    held = look(folder)
    assert (held.verdict, held.container) == ("alive", "another container")
    assert held.pid not in (0, 1)
    assert start_of(held.pid) == json.loads((folder / "s-1.jsonl.lock").read_text())["starttime"]


@NEEDS_NAMESPACES
@ON_MACHINE
def test_owner_in_a_container_that_was_killed_is_gone(
    folder: Path, contained: subprocess.Popen[str]
) -> None:
    os.kill(look(folder).pid, 9)
    contained.wait()
    held = look(folder)
    assert (held.verdict, held.is_proven_dead, held.against) == ("pid-reused", True, ())


@NEEDS_NAMESPACES
@ON_MACHINE
def test_number_without_a_start_time_that_a_container_uses_is_not_dead(folder: Path) -> None:
    """The machine has a process 1 too, so here the number alone can only be believed."""
    path = folder / "s-1.jsonl.lock"
    with holding([*IN_NAMESPACE, sys.executable, "-c", HOLDING, str(path), "plain"]) as child:
        held = look(folder)
        end(child)
    assert (held.verdict, held.is_proven_dead) == ("alive", False)
    assert held.against


@NEEDS_NAMESPACES
def test_inside_a_container_the_dead_are_in_doubt(folder: Path) -> None:
    write_lock(folder, 60.0, **ours())  # alive, but outside of that container
    command = [*IN_NAMESPACE, sys.executable, "-c", LOOKING, str(folder / "sessions.json")]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    ((verdict, against),) = json.loads(done.stdout)
    assert verdict in ("owner-gone", "pid-reused")
    assert "container" in against[0]


# -- records that cannot be read ---------------------------------------------------------------


@ON_MACHINE
@pytest.mark.parametrize("content", [b"", b"\0" * 120, b'{\n  "pid": 12'])
def test_torn_old_file_that_nobody_has_open_was_left_behind(folder: Path, content: bytes) -> None:
    path = folder / "s-1.jsonl.lock"
    path.write_bytes(content)
    os.utime(path, (time.time() - 31,) * 2)
    held = look(folder)
    assert (held.verdict, held.is_proven_dead) == ("leftover", True)


def test_torn_young_file_is_unreadable(folder: Path) -> None:
    (folder / "s-1.jsonl.lock").write_bytes(b"")
    assert look(folder).verdict == "unreadable"


@ON_LINUX
def test_torn_old_file_that_somebody_has_open_is_unreadable(folder: Path) -> None:
    path = folder / "s-1.jsonl.lock"
    with path.open("wb"):
        os.utime(path, (time.time() - 9999,) * 2)
        held = look(folder)
    assert (held.verdict, held.pid) == ("unreadable", os.getpid())


@pytest.mark.parametrize(
    "content",
    [
        b"held by my own script",
        b"[]",
        b'{"owner": "backup"}',
        b'{"pid": null}',
        b'{"pid": -1}',
        b'{"pid": 1e999}',
        b'{"pid": ' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b"{" + b" " * 1_000_000,
        b"\xff\xfe\x00\x1b[31m",
    ],
)
def test_other_programs_file_is_unreadable_however_old(folder: Path, content: bytes) -> None:
    path = folder / "s-1.jsonl.lock"
    path.write_bytes(content)
    os.utime(path, (time.time() - 10**7,) * 2)
    held = look(folder)
    assert (held.verdict, held.is_proven_dead) == ("unreadable", False)


@pytest.mark.parametrize("scope", ["s-1.jsonl.lock", "sessions.json.lock"])
@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "socket"])
def test_what_is_no_file_is_shown_as_unreadable(folder: Path, kind: str, scope: str) -> None:
    path = folder / scope
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            here = Path.cwd()
            os.chdir(folder)  # the path of a socket is short
            try:
                server.bind(scope)
            finally:
                os.chdir(here)
    if kind != "link":
        os.utime(path, (time.time() - 9999,) * 2)
    held = look(folder)
    assert (held.verdict, held.is_proven_dead) == ("unreadable", False)
    assert not any("root" in sentence for sentence in held.evidence)


@pytest.mark.parametrize(
    "payload",
    [
        {"createdAt": "0001-01-01T00:00:00+23:59"},
        {"createdAt": "9999-12-31T23:59:59-23:59"},
        {"createdAt": 2**62},
        {"createdAt": -5},
        {"createdAt": "<script>alert(1)</script>"},
        {"createdAt": {"a": ["\x1b[2J"]}},
        {"maxHoldMs": 1e300},
        {"maxHoldMs": -1},
        {"maxHoldMs": "<b>"},
        {"starttime": "<img src=x>"},
        {"starttime": 2**63},
    ],
)
def test_absurd_payload_is_bounded_and_never_shown(
    folder: Path, payload: dict[str, object]
) -> None:
    write_lock(folder, 60.0, **{"pid": os.getpid(), **payload})
    held = look(folder)
    assert 0 <= held.since_ms < 253_402_300_800_000
    datetime.fromtimestamp(held.since_ms / 1000, UTC)
    told = json.dumps([held.evidence, held.against, held.program, held.operation])
    assert len(told) < 2000
    assert "<" not in told
    assert "\\u001b" not in told


def test_name_of_a_lock_may_be_anything(folder: Path) -> None:
    name = os.fsdecode(b"\xff\x1b[31m<b>.jsonl.lock")
    (folder / name).write_text("{}")
    held = look(folder)
    held.path.encode()  # no lone surrogate
    assert "\x1b" not in held.path
    assert held.path.endswith("<b>.jsonl.lock")


# -- naming one holding ------------------------------------------------------------------------


def test_id_stays_while_a_lock_lasts_and_changes_with_the_next(folder: Path) -> None:
    path = write_lock(folder, 5.0, **ours())
    first = look(folder).id
    assert look(folder).id == first
    content = path.read_text()
    path.unlink()
    write_lock(folder, 4.0, **ours())
    second = look(folder).id
    path.unlink()
    path.write_text(content)
    third = look(folder).id
    assert len({first, second, third}) == 3
    assert all(len(one) <= 32 and one.isalnum() for one in (first, second, third))


# -- cost and bounds ---------------------------------------------------------------------------


def test_more_locks_than_are_judged_are_counted(folder: Path) -> None:
    for number in range(MOST_READ + 7):
        write_lock(folder, 1.0, f"s-{number:05}", **ours())
    with open_store(folder / "sessions.json") as store:
        view = view_locks(store)
    assert (len(view.held), view.unread, view.is_cut) == (MOST_READ, 7, False)


def test_transcripts_are_never_opened_and_each_lock_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (folder / f"s-{number}.jsonl").write_text("secret")
        write_lock(folder, 1.0, f"s-{number}", **ours())
    opened: list[str] = []
    real = os.open

    def counting(path: object, *args: object, **kwargs: object) -> int:
        opened.append(str(path))
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    with open_store(folder / "sessions.json") as store:
        monkeypatch.setattr(os, "open", counting)
        held_locks(store)
    beside = [path for path in opened if path.startswith(str(folder)) and ".jsonl" in path]
    assert len(beside) == 20
    assert all(path.endswith(".lock") for path in beside)
