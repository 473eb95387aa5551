"""Sessions to measure with: shaped as a gateway writes them, the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sessionstore import open_store

Entry = dict[str, Any]

SMALL_BYTES = 1_045
"""A session without a bloated prompt, the size most of them have."""

_LOREM = (
    "Use this when the operator asks about invoices, calendars or tickets. Read the file first, "
    "then answer in the language of the question; never guess a number that is not there. "
)


def key_of(number: int) -> str:
    """The key of the n-th session."""
    return f"agent:main:telegram:direct:{10_000_000 + number}"


def keys_of(count: int) -> list[str]:
    """The keys of a store of this many sessions."""
    return [key_of(number) for number in range(count)]


def entry_of(number: int, size_bytes: int = SMALL_BYTES) -> Entry:
    """The n-th session's entry, about this large on disk."""
    peer = str(10_000_000 + number)
    session_id = f"{number:08x}-3c1d-4f6a-9b2e-0123456789ab"
    entry: Entry = {
        "sessionId": session_id,
        "updatedAt": 1_770_000_000_000 + number * 1_000,
        "sessionFile": f"/home/ada/.openclaw/agents/main/sessions/{session_id}.jsonl",
        "systemSent": True,
        "abortedLastRun": False,
        "chatType": "direct",
        "channel": "telegram",
        "origin": _origin(number, peer),
        "deliveryContext": {
            "channel": "telegram",
            "to": f"telegram:{peer}",
            "accountId": "default",
        },
        "lastChannel": "telegram",
        "lastTo": f"telegram:{peer}",
        "lastAccountId": "default",
        "modelProvider": "anthropic",
        "model": "claude-sonnet-4-5",
        "contextTokens": 200_000,
        "inputTokens": 12,
        "outputTokens": 345,
        "totalTokens": 23_456,
        "compactionCount": 0,
        "thinkingLevel": "low",
        "verboseLevel": "off",
        "displayName": f"Ada {number} on Telegram",
        "cliSessionIds": {"claude-cli": session_id},
    }
    if size_bytes > 2 * SMALL_BYTES:
        entry |= _bloat(size_bytes - SMALL_BYTES)
    return entry


def _origin(number: int, peer: str) -> Entry:
    return {
        "label": f"Ada {number}",
        "provider": "telegram",
        "surface": "telegram",
        "chatType": "direct",
        "from": f"telegram:{peer}",
        "to": f"telegram:{peer}",
        "accountId": "default",
    }


def _bloat(size_bytes: int) -> Entry:
    """What makes entries large in the field: the skills' prompt and the prompt's report."""
    prompt = (_LOREM * (size_bytes // 2 // len(_LOREM) + 1))[: size_bytes // 2]
    skills = [
        {"name": f"skill-{number}", "primaryEnv": "API_KEY", "description": _LOREM}
        for number in range(size_bytes // 960)
    ]
    tools = [
        {"name": f"tool_{number}", "summaryChars": 120, "schemaChars": 900, "propertiesCount": 7}
        for number in range(size_bytes // 740)
    ]
    return {
        "skillsSnapshot": {"prompt": prompt, "skills": skills},
        "systemPromptReport": {"source": "run", "tools": {"listChars": 0, "entries": tools}},
    }


def fields_of(turn: int) -> Entry:
    """What a gateway changes after one message."""
    return {"inputTokens": turn, "outputTokens": turn + 7, "totalTokens": 20_000 + turn}


def entries_of(count: int, size_bytes: int = SMALL_BYTES) -> Iterator[tuple[str, Entry]]:
    """Keys and entries of a store."""
    for number in range(count):
        yield key_of(number), entry_of(number, size_bytes)


def build_store(directory: Path, count: int, size_bytes: int = SMALL_BYTES) -> Path:
    """Make a store through the public calls; returns the path of its store file."""
    path = directory / "sessions.json"
    with open_store(path) as store:
        for key, entry in entries_of(count, size_bytes):
            store.put(key, entry)
    return path
