"""The problems that the demo plants, one of each kind that the console must show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..entries import encode
from ..files import ensure_directory
from ..keys import locate
from ..paths import StorePaths
from ..store import open_store
from .disk import write_file, write_json, write_lines
from .invent import DAY_MS, HOUR_MS

AWKWARD_KEYS = (
    "agent:ops:telegram:direct:🦊",
    "agent:ops:explicit:notes.v2...final.",
    "__proto__",
    ".hidden",
    "agent:ops:matrix:channel:!UpperCaseRoom:example.org",
    "agent:ops:explicit:<b>bold</b>?*|",
)
DAMAGED_KEY = "agent:ops:telegram:direct:555000111"
EMPTY_KEY = "agent:ops:whatsapp:direct:+491500000999"
LINKED_KEY = "agent:ops:explicit:linked"
ODD_KEY = "agent:ops:explicit:odd-types"
BLOATED_KEY = "agent:ops:discord:channel:111122223333444455"
DUPLICATE_KEY = "agent:research:telegram:direct:ada"
ORPHAN_ID = "0f0f0f0f-0000-4000-8000-00000000d0d0"
_DEAD_PID = 2**22 - 1  # Linux gives no higher one, and hardly ever this


def plant(root: Path, stores: dict[str, StorePaths], now_ms: int) -> None:
    """Put every problem where a running gateway might have left it."""
    _awkward_entries(stores["ops"], now_ms)
    _bad_files(stores["ops"], root)
    _duplicate(stores["research"], now_ms)
    _leftovers(stores["main"], now_ms)
    _linked_agent(root, now_ms)


def legacy_rows(now_ms: int) -> dict[str, Any]:
    """Rows that only a whole-file store can have: a case twin and a value that is no entry."""
    key = "agent:work:telegram:direct:grace"
    return {
        key: _entry("0f0f0f0f-0000-4000-8000-000000000001", now_ms - HOUR_MS),
        key.replace("grace", "Grace"): _entry(
            "0f0f0f0f-0000-4000-8000-000000000002", now_ms - 30 * HOUR_MS
        ),
        "agent:work:explicit:not-an-entry": 5,
    }


def _entry(session_id: str, at_ms: int, **fields: Any) -> dict[str, Any]:
    return {"sessionId": session_id, "updatedAt": at_ms, **fields}


def _awkward_entries(paths: StorePaths, now_ms: int) -> None:
    with open_store(paths.store_path, report=False) as store:
        for number, key in enumerate(AWKWARD_KEYS, 1):
            session_id = f"0f0f0f0f-0000-4000-8000-0000000001{number:02d}"
            store.put(key, _entry(session_id, now_ms - number * HOUR_MS, label="Awkward key"))
        prompt = "Invented skill text. " * 9_000
        bloated = _entry(
            "0f0f0f0f-0000-4000-8000-000000000200",
            now_ms - 2 * HOUR_MS,
            groupChannel="#general",
            skillsSnapshot={"prompt": prompt, "skills": [{"name": "weather"}], "version": 3},
        )
        store.put(BLOATED_KEY, bloated)
        store.put("agent:ops:explicit:no-session-id", {"updatedAt": now_ms - 3 * HOUR_MS})


def _bad_files(paths: StorePaths, root: Path) -> None:
    folder = paths.directory
    torn = encode(_entry("0f0f0f0f-0000-4000-8000-000000000300", 1))
    write_file(folder / locate(DAMAGED_KEY).file_name, torn[: len(torn) // 2])
    write_file(folder / locate(EMPTY_KEY).file_name, b"")
    odd = {"sessionId": 12, "updatedAt": "yesterday", "label": 5, "origin": [], "status": {}}
    write_file(folder / locate(ODD_KEY).file_name, encode(odd))
    write_file(folder / "notes.txt", b"Invented note that somebody left here.\n")
    os.symlink(root / "openclaw.json", folder / locate(LINKED_KEY).file_name)


def _duplicate(paths: StorePaths, now_ms: int) -> None:
    """Two files for one key: the older program did not fold its keys."""
    for name, hours in ((DUPLICATE_KEY, 5), (DUPLICATE_KEY.replace("ada", "Ada"), 50)):
        entry = _entry(f"0f0f0f0f-0000-4000-8000-0000000004{hours:02d}", now_ms - hours * HOUR_MS)
        file_name = name.replace(":", "%3A") + ".json"
        write_file(paths.directory / file_name, encode(entry | {"label": "Ada, twice"}))


def _leftovers(paths: StorePaths, now_ms: int) -> None:
    folder = paths.store_path.parent
    header = {"type": "session", "version": 3, "id": ORPHAN_ID, "cwd": "/home/demo"}
    write_lines(folder / f"{ORPHAN_ID}.jsonl", [header])
    lock = {"pid": _DEAD_PID, "createdAt": "2026-01-05T07:30:00.000Z", "maxHoldMs": 720_000}
    write_json(folder / f"{ORPHAN_ID}.jsonl.lock", lock)
    old = {"agent:main:main": _entry(ORPHAN_ID, now_ms - 40 * DAY_MS)}
    write_json(folder / f"sessions.json.bak.{now_ms - 39 * DAY_MS}", old)


def _linked_agent(root: Path, now_ms: int) -> None:
    elsewhere = root / "elsewhere" / "shared"
    key = "agent:shared:main"
    write_json(
        elsewhere / "sessions" / "sessions.json",
        {key: _entry("0f0f0f0f-0000-4000-8000-000000000500", now_ms)},
    )
    ensure_directory(root / "agents")
    os.symlink(elsewhere, root / "agents" / "shared")
