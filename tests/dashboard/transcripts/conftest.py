"""A state with one session, and its transcript as a test wants it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sessionstore.store import open_store

SID = "6397ff25-8eb6-4f71-9b36-fdcd23af13ca"
KEY = "agent:main:main"
HEADER = {
    "type": "session",
    "version": 3,
    "id": SID,
    "timestamp": "2026-11-20T21:36:48.238Z",
    "cwd": "/home/operator/states",
}

Write = Callable[..., Path]


def message(number: int, text: str = "", *, role: str = "user", **more: Any) -> dict[str, Any]:
    """One line of a chain."""
    return {
        "type": "message",
        "id": f"m{number}",
        "parentId": f"m{number - 1}" if number > 1 else None,
        "timestamp": "2026-11-20T21:36:48.231Z",
        "message": {"role": role, "content": text or f"words of line {number}", **more},
    }


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """The folder of the one store, which has one session."""
    settings.STATE_DIR = tmp_path
    settings.TRANSCRIPTS = "operator"
    store = open_store(tmp_path / "agents" / "main" / "sessions")
    store.put(KEY, {"sessionId": SID, "updatedAt": 1_790_000_000_000})
    return store.path.parent


@pytest.fixture
def write(folder: Path) -> Write:
    """Return a function that writes lines (values, or bytes as they are) as a transcript."""

    def write(lines: Sequence[Any], *, name: str = f"{SID}.jsonl", header: bool = True) -> Path:
        every = [HEADER, *lines] if header else lines
        raw = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in every]
        path = folder / name
        path.write_bytes(b"".join(line + b"\n" for line in raw))
        return path

    return write


def session_address(client: Client) -> str:
    """Where the one session is."""
    (row,) = client.get("/sessions.json?machine=yes").json()["sessions"]
    return f"/stores/{row['store_id']}/sessions/{row['ref']}/"


def read(client: Client, query: str = "", **more: Any) -> Any:
    """Read a part out, as a person does with the page's form."""
    return client.post(f"{session_address(client)}transcript/{query}", **more)
