"""A store as someone who can name a session might make it: markup, formulas, secrets, bombs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sessionstore.store import open_store

MARKUP = '<script>window.broken=1</script><img src=x onerror="window.broken=1">\'"&amp;{{7*7}}'
FORMULA = '=HYPERLINK("http://bad.example","x")'
SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2
DIRECTION = "invoice\u202egnp.exe"


def build_hostile(path: Path) -> None:
    """Make the store below a new state directory."""
    store = open_store(path / "agents" / "main" / "sessions")
    store.put(f"agent:main:telegram:group:{MARKUP}", _entry(label=MARKUP, subject=MARKUP))
    store.put("agent:main:explicit:formula", _entry(label=FORMULA))
    store.put("agent:main:explicit:direction", _entry(label=DIRECTION))
    store.put(
        "agent:main:explicit:secret",
        _entry(label=f"token {SECRET}", apiKey="plain-words", note=f"my key is {SECRET}"),
    )
    store.put("agent:main:explicit:deep", _entry(goal=_deep(150), **{MARKUP: {MARKUP: [MARKUP]}}))
    store.put("agent:main:explicit:wide", _entry(goal={str(n): n for n in range(5_000)}))
    store.put("agent:main:explicit:long", _entry(note="x" * 300_000, updatedAt=1e300))
    store.put("agent:main:explicit:types", _entry(label=5, status=[1], channel={}, model=True))
    damaged = store.path.with_name("sessions.d") / "agent%3Amain%3Aexplicit%3Adamaged.json"
    damaged.write_bytes(b'{"label": "' + MARKUP.encode() + b'", "apiKey": "hunter2", "x": ')
    store.close()


def _entry(**fields: Any) -> dict[str, Any]:
    origin = {"label": MARKUP, "from": MARKUP, "threadId": MARKUP}
    return {
        "sessionId": "0f0f0f0f-0000-4000-8000-000000000001",
        "updatedAt": 1_790_000_000_000,
        "origin": origin,
        "model": MARKUP,
        "status": MARKUP,
        "lastHeartbeatText": MARKUP,
        **fields,
    }


def _deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"end": MARKUP}
    for _ in range(levels):
        value = {"in": value}
    return value
