"""A store with something beside each rule that it must not find, and what it must, to be planted.

File names and contents are written as the programs leave them, not by the code under test.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sessionstore import Store, open_store

DAY, HOUR, MINUTE = 86_400.0, 3600.0, 60.0
DEAD_PID = 2**22 - 1  # Linux gives no higher one, and hardly ever this
NOBODY_ELSE = 4_294_000_000


def stamp(age_s: float) -> str:
    """A moment as archives have it in their names."""
    at = time.time() - age_s
    return time.strftime("%Y-%m-%dT%H-%M-%S.000Z", time.gmtime(at))


class State:
    """One agent's store in its usual place, and ways to put things there."""

    def __init__(self, root: Path, agent: str = "main") -> None:
        self.agent = agent
        self.root = root
        self.folder = root / "agents" / agent / "sessions"
        self.folder.mkdir(parents=True, mode=0o700)
        for folder in (root, root / "agents", root / "agents" / agent, self.folder):
            folder.chmod(0o711)  # others may come in and not look around
        self.now_ms = time.time_ns() // 1_000_000
        self.store: Store = open_store(self.folder, report=False)
        self._count = 0

    @property
    def directory(self) -> Path:
        return self.folder / "sessions.d"

    def new_id(self) -> str:
        self._count += 1
        return f"00000000-0000-4000-8000-{self._count:012d}"

    def key(self, rest: str) -> str:
        return f"agent:{self.agent}:{rest}"

    def put(self, rest: str, *, age_s: float = HOUR, written: bool = True, **fields: Any) -> str:
        """A session with its transcript, unless ``written`` is false; its key."""
        key = self.key(rest)
        entry = {"sessionId": self.new_id(), "updatedAt": self.now_ms - int(age_s * 1000)}
        entry |= fields
        self.store.put(key, {name: value for name, value in entry.items() if value is not None})
        if written and isinstance(entry["sessionId"], str):
            self.transcript(entry["sessionId"], age_s=age_s)
        return key

    def session_id(self, key: str) -> str:
        entry = self.store.get(key)
        assert entry is not None
        return str(entry["sessionId"])

    def transcript(self, stem: str, *, age_s: float = HOUR, lines: int = 2) -> Path:
        header = {"type": "session", "version": 3, "id": stem, "cwd": "/home/ada"}
        message = {"type": "message", "id": "m", "message": {"role": "user", "content": "hello"}}
        text = "".join(f"{json.dumps(one)}\n" for one in [header, *[message] * (lines - 1)])
        return self.file(f"{stem}.jsonl", text.encode(), age_s=age_s)

    def file(
        self, name: str, data: bytes = b"x", *, age_s: float = HOUR, mode: int = 0o600
    ) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(data)
        path.chmod(mode)
        return aged(path, age_s)

    def blob(self, text: bytes, *, age_s: float = HOUR) -> tuple[Path, str]:
        digest = hashlib.sha256(text).hexdigest()
        folder = self.folder
        for part in ("skills-prompts", "sha256", digest[:2]):
            folder = folder / part
            folder.mkdir(exist_ok=True, mode=0o700)
        name = f"skills-prompts/sha256/{digest[:2]}/{digest}.txt"
        return self.file(name, text, age_s=age_s), digest


def aged(path: Path, age_s: float) -> Path:
    """Set the time of a file's last change that far back."""
    at = time.time() - age_s
    os.utime(path, (at, at), follow_symlinks=False)
    return path


def clean(state: State) -> State:
    """Beside each rule something that looks like what it finds, and is not."""
    state.put("main", label="Ada", status="done")
    state.put("telegram:direct:1", label="Grace", modelOverride="m", modelOverrideSource="user")
    state.put("telegram:direct:2", status="running", age_s=5)
    state.put("telegram:slash:7", written=False, age_s=3 * DAY)
    state.put("acp:6e5a", written=False, age_s=3 * DAY)
    shared = state.session_id(state.put("cron:job", age_s=MINUTE, label="Cron: invoices"))
    state.put("cron:job:run:1", sessionId=shared, written=False, label="Cron: invoices")
    for number in range(2, 10):
        state.put(f"cron:job:run:{number}", age_s=number * HOUR)
    state.put("subagent:aa", spawnedBy=state.key("main"))
    state.put("subagent:bb", spawnedBy="agent:other:main")
    state.put("subagent:cc")
    state.put("subagent:ee", spawnedBy="main")
    named = state.put("explicit:named", sessionFile="../sessions/named.jsonl", written=False)
    state.transcript("named")
    assert state.store.get(named)
    topic = state.session_id(state.put("telegram:group:-1:topic:17", written=False))
    state.transcript(f"{topic}-topic-17")
    fork = state.session_id(state.put("explicit:fork", written=False))
    state.transcript(f"2026-11-21T09-41-07-123Z_{fork}")
    main = state.session_id(state.key("main"))
    state.file(f"{main}.checkpoint.{state.new_id()}.jsonl")
    state.file(f"{main}.trajectory.jsonl")
    state.file(f"{main}.trajectory-path.json", b"{}")
    state.file(f"{state.new_id()}.jsonl.reset.{stamp(2 * DAY)}", age_s=90 * DAY)
    state.file(f"{state.new_id()}.jsonl.deleted.{stamp(29 * DAY)}")
    for number in range(3):
        state.file(f"sessions.json.bak.{state.now_ms - number}", b"{}")
    state.file("sessions.json.1234.tmp", age_s=10 * MINUTE)
    state.file(f"{main}.jsonl.bak-12-{state.now_ms}", age_s=MINUTE)
    _, digest = state.blob(b"a prompt that somebody uses")
    ref = {"version": 1, "algorithm": "sha256", "hash": digest, "bytes": 27}
    state.put("explicit:blob", skillsSnapshot={"promptRef": ref, "skills": []})
    state.blob(b"a prompt that is new", age_s=MINUTE)
    state.put("explicit:heavy", skillsSnapshot={"prompt": "p" * 200_000})
    alive = state.session_id(state.put("explicit:locked"))
    lock = {"pid": os.getpid(), "createdAt": _iso(0), "starttime": _started()}
    state.file(f"{alive}.jsonl.lock", json.dumps(lock).encode(), age_s=1)
    return state


def _iso(age_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - age_s))


def _started() -> int:
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])


Plant = Callable[[State], str]
"""Puts one thing there; its key, or its path relative to the store's folder."""

PLANTS: dict[str, tuple[str, str, Plant]] = {}
"""By name: the rule that finds it, the severity, and how it is put there."""


def plant(rule: str, severity: str) -> Callable[[Plant], Plant]:
    def register(make: Plant) -> Plant:
        PLANTS[make.__name__] = (rule, severity, make)
        return make

    return register


@plant("untouched", "info")
def untouched(state: State) -> str:
    return state.put("whatsapp:direct:9", age_s=31 * DAY)


@plant("running-without-proof", "warning")
def running_for_a_minute(state: State) -> str:
    return state.put("explicit:running", status="running", age_s=2 * MINUTE)


@plant("running-without-proof", "error")
def running_for_an_hour(state: State) -> str:
    return state.put("explicit:stuck", status="running", age_s=HOUR)


@plant("failover-override", "warning")
def failed_over(state: State) -> str:
    return state.put("explicit:failover", modelOverride="small", modelOverrideSource="auto")


@plant("label-twice", "warning")
def same_label(state: State) -> str:
    return state.put("explicit:twin", label="Ada", age_s=MINUTE)


@plant("finished-cron-run", "info")
def eleventh_run(state: State) -> str:
    state.put("cron:other", age_s=MINUTE)
    for number in range(10):
        state.put(f"cron:other:run:{number}", age_s=number * HOUR)
    return state.put("cron:other:run:last", age_s=20 * HOUR)


@plant("subagent-without-parent", "info")
def lost_parent(state: State) -> str:
    return state.put("subagent:dd", spawnedBy=state.key("gone"))


@plant("wrong-agent", "warning")
def other_agents_key(state: State) -> str:
    key = "agent:other:telegram:direct:5"
    session_id = state.new_id()
    state.store.put(key, {"sessionId": session_id, "updatedAt": state.now_ms})
    state.transcript(session_id)
    return key


@plant("no-transcript", "warning")
def lost_transcript(state: State) -> str:
    return state.put("explicit:lost", written=False, age_s=2 * DAY)


@plant("no-transcript", "info")
def new_session(state: State) -> str:
    return state.put("explicit:new", written=False, age_s=MINUTE)


@plant("orphan-transcript", "warning")
def orphan(state: State) -> str:
    return state.transcript(state.new_id(), age_s=HOUR).name


@plant("orphan-transcript", "info")
def young_orphan(state: State) -> str:
    return state.transcript(state.new_id(), age_s=MINUTE).name


@plant("orphan-transcript", "info")
def orphaned_checkpoint(state: State) -> str:
    return state.file(f"{state.new_id()}.checkpoint.{state.new_id()}.jsonl").name


@plant("empty-transcript", "info")
def header_only(state: State) -> str:
    key = state.put("explicit:reset", written=False)
    state.transcript(state.session_id(key), lines=1)
    return key


@plant("empty-transcript", "warning")
def no_bytes(state: State) -> str:
    key = state.put("explicit:empty", written=False)
    state.file(f"{state.session_id(key)}.jsonl", b"")
    return key


@plant("shared-transcript", "warning")
def shared(state: State) -> str:
    first = state.session_id(state.put("voice:1"))
    return state.put("explicit:leak", sessionId=first, age_s=MINUTE)


@plant("bad-session-id", "warning")
def bad_session_id(state: State) -> str:
    return state.put("explicit:bad-id", sessionId="../../etc/passwd", written=False)


@plant("bad-session-id", "warning")
def numeric_session_id(state: State) -> str:
    return state.put("explicit:number-id", sessionId=12, written=False)


@plant("no-session-id", "info")
def no_session_id(state: State) -> str:
    return state.put("explicit:no-id", sessionId=None, written=False)


def _timed(state: State, rest: str, value: object) -> str:
    """Written past the store, which would set the time right."""
    key = state.put(rest)
    path = state.directory / f"{key.replace(':', '%3A')}.json"
    entry = json.loads(path.read_bytes()) | {"updatedAt": value}
    if value is None:
        del entry["updatedAt"]
    path.write_text(json.dumps(entry))
    return key


@plant("bad-updated-at", "warning")
def text_time(state: State) -> str:
    return _timed(state, "explicit:text-time", "yesterday")


@plant("bad-updated-at", "warning")
def seconds_time(state: State) -> str:
    return _timed(state, "explicit:seconds-time", int(time.time()))


@plant("bad-updated-at", "warning")
def future_time(state: State) -> str:
    return _timed(state, "explicit:future-time", state.now_ms + 3_600_000)


@plant("no-updated-at", "info")
def no_time(state: State) -> str:
    return _timed(state, "explicit:no-time", None)


@plant("bad-session-file", "warning")
def absolute_elsewhere(state: State) -> str:
    return state.put("explicit:elsewhere", sessionFile="/etc/passwd")


@plant("bad-session-file", "warning")
def leading_up(state: State) -> str:
    return state.put("explicit:up", sessionFile="../../../openclaw.json")


@plant("bad-session-file", "warning")
def with_nul(state: State) -> str:
    return state.put("explicit:nul", sessionFile="a\0b.jsonl")


@plant("bad-session-file", "info")
def moved_state(state: State) -> str:
    path = "/home/ada/old/agents/main/sessions/0.jsonl"
    return state.put("explicit:moved", sessionFile=path)


@plant("bad-session-file", "info")
def of_another_agent(state: State) -> str:
    other = state.root / "agents" / "other" / "sessions"
    other.mkdir(parents=True, exist_ok=True)
    (other / "theirs.jsonl").write_text("{}\n")
    path = str(other / "theirs.jsonl")
    return state.put("explicit:theirs", sessionFile=path, written=False)


@plant("bad-session-file", "warning")
def of_another_session(state: State) -> str:
    state.transcript("boot-2")
    return state.put("explicit:contaminated", sessionFile="boot-2.jsonl")


@plant("heavy-field", "info")
def heavy(state: State) -> str:
    state.put("explicit:bloated", systemPromptReport={"text": "r" * 1_300_000})
    return ""


@plant("leftover-temporary", "warning")
def temporary(state: State) -> str:
    return state.file("sessions.json.4321.tmp", age_s=2 * HOUR).name


@plant("leftover-staging", "warning")
def migrating(state: State) -> str:
    folder = state.folder / "sessions.d.migrating"
    folder.mkdir(mode=0o700)
    (folder / "a.json").write_text("{}")
    return aged(folder, 2 * HOUR).name


@plant("leftover-staging", "warning")
def staging(state: State) -> str:
    folder = state.folder / ".sessionstore" / "sessions" / "tmp" / f"{DEAD_PID}-00ff"
    folder.mkdir(mode=0o700)
    aged(folder, 2 * HOUR)
    return str(folder.relative_to(state.folder))


@plant("leftover-lock", "warning")
def dead_store_lock(state: State) -> str:
    lock = json.dumps({"pid": DEAD_PID, "createdAt": _iso(HOUR)}).encode()
    return state.file("sessions.json.lock", lock).name


@plant("quarantined-file", "info")
def link_in_quarantine(state: State) -> str:
    folder = state.folder / ".sessionstore" / "sessions" / "quarantine"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "2-bb.file").symlink_to("/etc/passwd")
    return str((folder / "2-bb.file").relative_to(state.folder))


@plant("leftover-lock", "warning")
def dead_lock(state: State) -> str:
    key = state.put("explicit:dead-lock")
    lock = json.dumps({"pid": DEAD_PID, "createdAt": _iso(HOUR)}).encode()
    state.file(f"{state.session_id(key)}.jsonl.lock", lock)
    return key


@plant("old-archive", "info")
def old_archive(state: State) -> str:
    return state.file(f"{state.new_id()}.jsonl.deleted.{stamp(31 * DAY)}").name


@plant("repair-backup", "warning")
def repair_backup(state: State) -> str:
    return state.file(f"{state.new_id()}.jsonl.bak-77-{state.now_ms}", age_s=2 * HOUR).name


@plant("old-store-copy", "info")
def fourth_copy(state: State) -> str:
    return state.file("sessions.json.bak.1700000000000", b"{}", age_s=40 * DAY).name


@plant("quarantined-file", "info")
def in_quarantine(state: State) -> str:
    folder = state.folder / ".sessionstore" / "sessions" / "quarantine"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in ("1-aa.file", "1-aa.json"):
        (folder / name).write_text("{}")
        (folder / name).chmod(0o600)
    return str((folder / "1-aa.file").relative_to(state.folder))


@plant("unreferenced-blob", "info")
def unused_prompt(state: State) -> str:
    return str(state.blob(b"a prompt that nobody uses")[0].relative_to(state.folder))


@plant("unnamed-blob", "info")
def unnamed_blob(state: State) -> str:
    value = b'"a value that nobody has any more"'
    digest = hashlib.sha256(value).hexdigest()
    folder = state.folder / ".sessionstore" / "sessions" / "blobs"
    (folder / digest[:2]).mkdir(parents=True, mode=0o700)
    path = folder / digest[:2] / digest
    path.write_bytes(value)
    os.utime(path, (time.time() - HOUR,) * 2)
    return str(folder.relative_to(state.folder))


@plant("many-backups", "info")
def many_backups(state: State) -> str:
    folder = state.root / ".sessionstore" / "backups" / state.agent
    folder.mkdir(parents=True)
    for number in range(31):
        (folder / f"2026112{number:02d}T000000Z-000000.tar.gz").write_bytes(b"12345")
    return ""


@plant("unknown-file", "info")
def core_dump(state: State) -> str:
    return state.file("core.1234", b"\0" * 2_000_000).name


@plant("wrong-mode", "warning")
def readable_by_all(state: State) -> str:
    key = state.put("explicit:readable")
    path = state.folder / f"{state.session_id(key)}.jsonl"
    path.chmod(0o644)
    return path.name


@plant("wrong-mode", "error")
def writable_by_all(state: State) -> str:
    path = state.folder / f"{state.session_id(state.put('explicit:writable'))}.jsonl"
    path.chmod(0o666)
    return path.name


@plant("wrong-mode", "info")
def readable_below_a_closed_folder(state: State) -> str:
    key = state.put("explicit:closed")
    path = state.directory / f"{key.replace(':', '%3A')}.json"
    path.chmod(0o644)
    return str(path.relative_to(state.folder))


@plant("name-collision", "info")
def same_but_for_case(state: State) -> str:
    state.put("explicit:case-1", sessionId="collide")
    state.put("explicit:case-2", sessionId="Collide")
    return "collide.jsonl|Collide.jsonl"


@plant("name-collision", "warning")
def same_agent(state: State) -> str:
    (state.root / "agents" / "Main").mkdir()
    return ""


@plant("damaged-entry", "error")
def torn_entry(state: State) -> str:
    key = state.put("explicit:torn", sessionId=None, written=False)
    (state.directory / f"{key.replace(':', '%3A')}.json").write_text('{"sessionId": ')
    return key


@plant("foreign-file", "warning")
def foreign_file(state: State) -> str:
    path = state.directory / "notes.txt"
    path.write_text("theirs")
    path.chmod(0o600)
    return "sessions.d/notes.txt"


@plant("unsafe-file", "error")
def linked_entry(state: State) -> str:
    key = state.key("explicit:linked")
    (state.directory / f"{key.replace(':', '%3A')}.json").symlink_to("/etc/passwd")
    return key


@plant("odd-file", "warning")
def linked_transcript(state: State) -> str:
    (state.folder / "link.jsonl").symlink_to("/etc/passwd")
    return "link.jsonl"


@plant("odd-file", "warning")
def pipe(state: State) -> str:
    os.mkfifo(state.folder / "pipe.jsonl")
    return "pipe.jsonl"
