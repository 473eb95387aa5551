"""What a session is, told from its key and a few fields: kind, channel, agent.

Sources: openclaw-format §2.1 (shapes of keys), §2.3 (deriving attributes). The kinds are finer
than those of OpenClaw's own list, which shows cron and hook sessions as ``direct``.
"""

from __future__ import annotations

from typing import Final

KINDS: Final = (
    "main",
    "direct",
    "group",
    "channel",
    "thread",
    "cron",
    "cron-run",
    "subagent",
    "acp",
    "hook",
    "node",
    "openai",
    "dashboard",
    "tui",
    "heartbeat",
    "internal",
    "global",
    "unknown",
    "other",
)
MACHINE_KINDS: Final = frozenset(
    ["cron", "cron-run", "subagent", "acp", "hook", "node", "heartbeat", "internal"]
)
"""Sessions that no person talks in; lists hide them unless asked."""

_BY_FIRST_SEGMENT: Final = {
    "cron": "cron",
    "subagent": "subagent",
    "acp": "acp",
    "acp-bridge": "acp",
    "hook": "hook",
    "node": "node",
    "openai": "openai",
    "openai-user": "openai",
    "openresponses": "openai",
    "openresponses-user": "openai",
    "dashboard": "dashboard",
    "heartbeat": "heartbeat",
    "boot": "internal",
    "commitments": "internal",
    "temp": "internal",
    "voice": "direct",
    "global": "global",
    "unknown": "unknown",
}
_BY_PREFIX: Final = (
    ("node-", "node"),
    ("tui-", "tui"),
    ("heartbeat-recovered-", "heartbeat"),
    ("dreaming-narrative-", "internal"),
)
_BY_CHAT_TYPE: Final = {
    "group": "group",
    "channel": "channel",
    "room": "channel",
    "thread": "thread",
    "direct": "direct",
    "dm": "direct",
}
_ADDRESSED: Final = frozenset(["group", "channel", "room", "direct", "dm", "slash"])
_PEER: Final = frozenset(["direct", "dm"])


def agent_id_of_key(key: str) -> str | None:
    """The ``<id>`` of ``agent:<id>:<rest>``, lowercased; None for any other key."""
    head, _, tail = key.partition(":")
    if head != "agent":
        return None
    agent, colon, rest = tail.partition(":")
    return agent.lower() if agent and colon and rest else None


def rest_of_key(key: str) -> str:
    """What follows ``agent:<id>:``; the whole key when it has no such prefix."""
    if key.startswith("agent:"):
        agent, colon, rest = key[6:].partition(":")
        if agent and colon and rest:
            return rest
    return key


def kind_of(rest: str, chat_type: object = None) -> str:
    """One of :data:`KINDS`, for the key's rest and the entry's ``chatType``.

    The key decides where it can; ``chatType`` only names the kind of a key that says nothing.
    """
    if rest == "main":
        return "main"
    parts = rest.split(":")
    first = parts[0]
    if parts[-1] == "heartbeat":
        return "heartbeat"
    if "subagent" in parts[:-1]:
        return "subagent"
    if known := _BY_FIRST_SEGMENT.get(first):
        is_run = known == "cron" and len(parts) > 3 and parts[2] == "run"
        return "cron-run" if is_run else known
    for prefix, kind in _BY_PREFIX:
        if first.startswith(prefix):
            return kind
    if first == "explicit":
        return "internal" if parts[-1].startswith("model-run-") else "other"
    return _kind_of_address(parts, chat_type)


def _kind_of_address(parts: list[str], chat_type: object) -> str:
    inner = parts[1:-1]
    if "thread" in inner or "topic" in inner:
        return "thread"
    head = parts[:-1]
    if "group" in head:
        return "group"
    if "channel" in head or "room" in head:
        return "channel"
    if "direct" in head or "dm" in head:
        return "direct"
    if "slash" in inner:
        return "internal"
    if isinstance(chat_type, str) and chat_type in _BY_CHAT_TYPE:
        return _BY_CHAT_TYPE[chat_type]
    if len(parts) == 1 and parts[0][:1] == "+" and parts[0][1:].isdigit():
        return "direct"
    return "other"


def channel_in_key(rest: str) -> str | None:
    """The channel that an address names: ``telegram`` of ``telegram:direct:1``."""
    parts = rest.split(":", 3)
    if len(parts) > 2 and (parts[1] in _ADDRESSED or (len(parts) > 3 and parts[2] in _PEER)):
        return parts[0]
    return "voice" if parts[0] == "voice" and len(parts) > 1 else None
