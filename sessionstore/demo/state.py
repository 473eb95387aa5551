"""A whole invented state directory: several agents, every layout, and problems to find."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ..entries import Entry, encode
from ..files import list_names, real_path
from ..keys import locate
from ..paths import StorePaths, store_paths
from ..store import open_store
from . import cast, past, problems
from .disk import fill, write_file, write_json, write_lines
from .figures import DIRECTORY, LEGACY
from .invent import DAY_MS, SINGLE_KEYS, Inventor

NOTE_NAME: Final = "DEMO.txt"
CONFIGURED: Final = ("main", "work", "research", "ops", "family")
RETIRED: Final = "old-assistant"
_SHARES: Final = {"main": 0.40, "work": 0.25, "research": 0.15, "ops": 0.12, RETIRED: 0.08}
_MACHINES: Final = {"main": 0.3, "work": 0.35, "research": 0.2, "ops": 0.75, RETIRED: 0.1}
_TRANSCRIPTS: Final = 40
_HABITS: Final = {
    "main": DIRECTORY,
    "ops": replace(DIRECTORY, rate=16.0),
    "work": LEGACY,
}
_HOT: Final = 12


def is_demo(state_dir: str | os.PathLike[str]) -> bool:
    """Whether a directory was made by :func:`build`."""
    try:
        return NOTE_NAME in list_names(state_dir)
    except FileNotFoundError:
        return False


def build(
    state_dir: str | os.PathLike[str],
    *,
    sessions: int = 600,
    seed: int = 7,
    now_ms: int | None = None,
) -> None:
    """Make a realistic state directory of invented data in an empty or new directory.

    Agents: ``main`` and ``ops`` in the directory layout, ``work`` still with a ``sessions.json``,
    ``research`` with a ``sessions.d`` of an older program, ``family`` configured and empty,
    ``old-assistant`` on disk only, ``shared`` a link that must not be followed. About
    ``sessions`` sessions in all. The same seed and time give the same keys and entries. Three days
    of reports of ``main``, ``ops`` and ``work`` are invented as well (:mod:`.past`).

    Raises:
        FileExistsError: the directory is not empty.
    """
    root = Path(real_path(state_dir))
    if root.exists() and list_names(root):
        raise FileExistsError(f"{root} is not empty; the demo is only built in a new directory")
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    write_file(root / NOTE_NAME, cast.NOTE.encode())
    write_json(root / "openclaw.json", _config(root))
    inventors = {name: Inventor(name, seed=seed, now_ms=now) for name in _SHARES}
    made = {name: _sessions(inventors[name], sessions) for name in _SHARES}
    fill(_paths(root, "main"), made["main"].items())
    fill(_paths(root, "ops"), made["ops"].items())
    _write_legacy(_paths(root, "work"), made["work"] | problems.legacy_rows(now))
    _write_legacy(_paths(root, RETIRED), made[RETIRED])
    _write_unmarked(_paths(root, "research"), made["research"])
    write_file(_paths(root, "family").store_path.parent / ".keep", b"")
    for name, entries in made.items():
        _write_transcripts(_paths(root, name), inventors[name], entries)
    problems.plant(root, {name: _paths(root, name) for name in _SHARES}, now)
    _reset_one(_paths(root, "main"), made["main"])
    for name, habit in _HABITS.items():
        first = [cast.HOT_KEY] if name == "main" else []
        keys = [*first, *(key for key in made[name] if key.startswith("agent:"))]
        past.plant(_paths(root, name), habit, keys[:_HOT], seed=f"{name}/{seed}", now_ms=now)


def _paths(root: Path, agent: str) -> StorePaths:
    return store_paths(root / "agents" / agent / "sessions" / "sessions.json")


def _config(root: Path) -> dict[str, Any]:
    return {
        "agents": {
            "defaults": {"workspace": str(root / "workspace")},
            "list": [{"id": name, "default": name == "main"} for name in CONFIGURED],
        },
        "session": {
            "dmScope": "per-channel-peer",
            "maintenance": {"mode": "warn", "pruneAfter": "30d", "maxEntries": 500},
        },
    }


def _sessions(inventor: Inventor, total: int) -> dict[str, Entry]:
    name = inventor.agent_id
    share = round(total * _SHARES[name])
    rests = SINGLE_KEYS if share > 2 * len(SINGLE_KEYS) else ()
    made = dict(inventor.sessions(max(share - len(rests), 1), machine=_MACHINES[name]))
    for rest in rests:
        made[rest if rest == "global" else f"agent:{name}:{rest}"] = inventor.basics()
    return made


def _write_legacy(paths: StorePaths, entries: dict[str, Any]) -> None:
    write_json(paths.store_path, entries)


def _write_unmarked(paths: StorePaths, entries: dict[str, Entry]) -> None:
    for key, entry in entries.items():
        place = locate(key)
        if "/" not in place.file_name:  # the older program had no other place for odd keys
            write_file(paths.directory / place.file_name, encode(entry))


def _reset_one(paths: StorePaths, entries: dict[str, Entry]) -> None:
    key = next(key for key in entries if ":direct:" in key)
    with open_store(paths.store_path, report=False) as store:
        store.reset(key)


# -- transcripts ---------------------------------------------------------------------------


def _write_transcripts(paths: StorePaths, inventor: Inventor, entries: dict[str, Entry]) -> None:
    folder = paths.store_path.parent
    newest = sorted(entries.values(), key=lambda entry: -int(entry["updatedAt"]))
    for entry in newest[:_TRANSCRIPTS]:
        write_lines(folder / f"{entry['sessionId']}.jsonl", transcript(inventor, entry))
    for days, kind in ((3, "reset"), (9, "deleted"), (40, "deleted")):
        at = _iso(inventor.now_ms - days * DAY_MS).replace(":", "-")
        gone = {"sessionId": inventor.uuid(), "updatedAt": inventor.now_ms - days * DAY_MS}
        name = f"{gone['sessionId']}.jsonl.{kind}.{at}"
        write_lines(folder / name, transcript(inventor, gone))


def transcript(inventor: Inventor, entry: Entry) -> Iterator[dict[str, Any]]:
    """A short conversation in OpenClaw's transcript form (openclaw-format §6.3)."""
    started = int(entry["updatedAt"]) - 60_000
    session_id = str(entry["sessionId"])
    yield {
        "type": "session",
        "version": 3,
        "id": session_id,
        "timestamp": _iso(started),
        "cwd": "/home/demo/workspace",
    }
    parent = None
    for step in range(inventor.random.randrange(2, 9)):
        message = inventor.uuid()
        text = inventor.random.choice(cast.SENTENCES)
        yield {
            "type": "message",
            "id": message,
            "parentId": parent,
            "timestamp": _iso(started + step * 5_000),
            "message": {
                "role": "assistant" if step % 2 else "user",
                "content": [{"type": "text", "text": f"(invented) {text}"}],
            },
        }
        parent = message


def _iso(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
