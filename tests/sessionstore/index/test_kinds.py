"""Kinds, channels and agents are told from keys of every documented shape."""

from __future__ import annotations

import pytest

from sessionstore.index.kinds import (
    KINDS,
    MACHINE_KINDS,
    agent_id_of_key,
    channel_in_key,
    kind_of,
    rest_of_key,
)

UUID = "0f0f0f0f-0000-4000-8000-000000000001"
SHAPES = [
    ("agent:main:main", "main", None),
    ("agent:main:direct:42", "direct", None),
    ("agent:main:telegram:direct:42", "direct", "telegram"),
    ("agent:main:discord:default:direct:42", "direct", "discord"),
    ("agent:main:telegram:dm:42", "direct", "telegram"),
    ("agent:main:whatsapp:group:1203@g.us", "group", "whatsapp"),
    ("agent:main:discord:channel:42", "channel", "discord"),
    ("agent:main:matrix:room:!Ab:example.org", "channel", "matrix"),
    ("agent:main:matrix:channel:!Ab:example.org", "channel", "matrix"),
    ("agent:main:slack:channel:c1:thread:1.2", "thread", "slack"),
    ("agent:main:telegram:group:-100:topic:17", "thread", "telegram"),
    ("agent:main:telegram:direct:42:thread:7", "thread", "telegram"),
    ("agent:main:cron:job", "cron", None),
    (f"agent:main:cron:job:run:{UUID}", "cron-run", None),
    (f"agent:main:subagent:{UUID}", "subagent", None),
    (f"agent:main:subagent:{UUID}:subagent:{UUID}", "subagent", None),
    (f"agent:main:acp:{UUID}", "acp", None),
    ("agent:main:acp:binding:telegram:default:ab12", "acp", None),
    ("agent:main:acp-bridge:x", "acp", None),
    (f"agent:main:hook:{UUID}", "hook", None),
    ("agent:main:node-phone", "node", None),
    ("agent:main:node:phone", "node", None),
    (f"agent:main:openai:{UUID}", "openai", None),
    ("agent:main:openai-user:ada", "openai", None),
    ("agent:main:openresponses-user:ada", "openai", None),
    ("agent:main:telegram:slash:42", "internal", "telegram"),
    (f"agent:main:explicit:{UUID}", "other", None),
    (f"agent:main:explicit:model-run-{UUID}", "internal", None),
    (f"agent:main:dashboard:{UUID}", "dashboard", None),
    (f"agent:main:tui-{UUID}", "tui", None),
    ("agent:main:heartbeat", "heartbeat", None),
    ("agent:main:main:heartbeat", "heartbeat", None),
    ("agent:main:heartbeat-recovered-2026", "heartbeat", None),
    ("agent:main:dreaming-narrative-rem-ab", "internal", None),
    ("agent:main:boot", "internal", None),
    ("agent:main:commitments:run", "internal", None),
    ("agent:main:temp:slug-generator", "internal", None),
    ("agent:main:voice:+4930123", "direct", "voice"),
    ("global", "global", None),
    ("agent:main:global", "global", None),
    ("unknown", "unknown", None),
    ("main", "main", None),
    ("group:42", "group", None),
    ("cron:job", "cron", None),
    ("+49150000001", "direct", None),
    ("something else", "other", None),
]


@pytest.mark.parametrize(("key", "kind", "channel"), SHAPES)
def test_key_tells_kind_and_channel(key: str, kind: str, channel: str | None) -> None:
    rest = rest_of_key(key)
    assert (kind_of(rest), channel_in_key(rest)) == (kind, channel)


def test_chat_type_decides_only_where_the_key_does_not() -> None:
    assert kind_of("peculiar", "group") == "group"
    assert kind_of("peculiar", {"junk": 1}) == "other"
    assert kind_of("telegram:direct:1", "group") == "direct"


@pytest.mark.parametrize(
    "key", ["", ":", "agent:", "agent::", "agent::x", "agent:a:", ":::", "a:b"]
)
def test_odd_keys_have_some_kind(key: str) -> None:
    assert kind_of(rest_of_key(key)) in KINDS


def test_agent_is_the_second_segment() -> None:
    assert agent_id_of_key("agent:Work:main") == "work"
    assert agent_id_of_key("global") is None
    assert agent_id_of_key("agent:work") is None


def test_machine_kinds_are_kinds() -> None:
    assert set(KINDS) >= MACHINE_KINDS
