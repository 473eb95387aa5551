"""Invented sessions: keys of every kind and entries as a gateway writes them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from ..entries import Entry
from . import cast

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Inventor:
    """Makes keys and entries for one agent; the same seed and time make the same ones."""

    def __init__(self, agent_id: str, *, seed: int | str, now_ms: int) -> None:
        self.agent_id = agent_id
        self.now_ms = now_ms
        self.random = random.Random(f"{agent_id}/{seed}")

    def uuid(self) -> str:
        """A random UUID that the seed decides."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def digits(self, count: int) -> str:
        """A number that looks like a messenger's id."""
        return str(self.random.randrange(10 ** (count - 1), 10**count))

    def some_time_ms(self) -> int:
        """When a session was last used: most lately, some weeks ago."""
        age_ms = self.random.expovariate(1 / (3 * DAY_MS))
        return self.now_ms - min(int(age_ms), 120 * DAY_MS)

    def sessions(self, count: int, *, machine: float) -> Iterator[tuple[str, Entry]]:
        """``count`` different keys with entries; the share ``machine`` of them of machines.

        Each shape of key (openclaw-format §2.1) comes once before any comes again by chance.
        """
        people, robots = _shapes_of_people(), _shapes_of_machines()
        planned = [*people, *robots]
        seen: set[str] = set()
        while len(seen) < count:
            shape = (
                planned.pop(0)
                if planned
                else self.random.choice(robots if self.random.random() < machine else people)
            )
            key, fields = shape(self)
            full = key if key in ("global", "unknown") else f"agent:{self.agent_id}:{key}"
            if full not in seen:
                seen.add(full)
                yield full, {**self.basics(), **fields}

    def basics(self) -> Entry:
        """The fields that nearly every entry has."""
        updated = self.some_time_ms()
        provider, model, context = self.random.choice(cast.MODELS)
        entry: Entry = {
            "sessionId": self.uuid(),
            "updatedAt": updated,
            "sessionStartedAt": updated - self.random.randrange(HOUR_MS, 10 * DAY_MS),
            "systemSent": True,
            "abortedLastRun": self.random.random() < 0.03,
            "model": model,
            "modelProvider": provider,
            "inputTokens": self.random.randrange(200, 20_000),
            "outputTokens": self.random.randrange(50, 4_000),
            "totalTokens": int(context * self.random.betavariate(1.2, 4)),
            "totalTokensFresh": self.random.random() < 0.9,
            "contextTokens": context,
            "compactionCount": self.random.choice((0, 0, 0, 1, 2, 5)),
        }
        entry.update(self._sometimes())
        return entry

    def _sometimes(self) -> Entry:
        chance = self.random.random
        entry: Entry = {}
        if chance() < 0.12:
            entry["thinkingLevel"] = self.random.choice(("low", "medium", "high"))
        if chance() < 0.06:
            entry["verboseLevel"] = "on"
        if chance() < 0.05:
            entry["sendPolicy"] = self.random.choice(("allow", "deny"))
        if chance() < 0.08:
            provider, model, _ = self.random.choice(cast.MODELS)
            entry |= {"providerOverride": provider, "modelOverride": model}
            entry["modelOverrideSource"] = "user"
        elif chance() < 0.05:
            provider, model = cast.FALLBACK
            entry |= {"providerOverride": provider, "modelOverride": model}
            entry["modelOverrideSource"] = "auto"
            entry["fallbackNoticeReason"] = "rate limit (invented)"
        if chance() < 0.5:
            entry["status"] = self.random.choice(("done", "done", "done", "failed", "timeout"))
        if chance() < 0.04:
            entry["pinnedAt"] = self.now_ms - DAY_MS
        if chance() < 0.04:
            entry["archivedAt"] = self.now_ms - 2 * DAY_MS
        return entry

    def address(self, channel: str, to: str, *, chat: str, name: str) -> Entry:
        """The routing fields of a session that talks on a channel."""
        context = {"channel": channel, "to": f"{channel}:{to}", "accountId": "default"}
        return {
            "chatType": chat,
            "channel": channel,
            "origin": {
                "label": name,
                "provider": channel,
                "surface": channel,
                "chatType": chat,
                "from": f"{channel}:{to}",
                "to": f"{channel}:{to}",
                "accountId": "default",
            },
            "deliveryContext": context,
            "lastChannel": channel,
            "lastTo": f"{channel}:{to}",
            "lastAccountId": "default",
        }

    def direct(self, channel: str, peer: str) -> Entry:
        """A conversation with one person."""
        name = self.random.choice(cast.PEOPLE)
        entry = self.address(channel, peer, chat="direct", name=name)
        if self.random.random() < 0.35:
            entry["label"] = name
        return entry

    def group(self, channel: str, group_id: str, *, chat: str = "group") -> Entry:
        """A conversation with many people."""
        room = chat == "channel"
        name = self.random.choice(cast.ROOMS if room else cast.GROUPS)
        entry = self.address(channel, group_id, chat=chat, name=name)
        entry["groupId"] = group_id.lower()
        entry["groupChannel" if room else "subject"] = name
        entry["displayName"] = f"{channel}:g-{name.lower().replace(' ', '-')}"
        return entry


Shape = Callable[[Inventor], tuple[str, dict[str, Any]]]


def _telegram(i: Inventor) -> tuple[str, Entry]:
    peer = i.digits(9)
    return f"telegram:direct:{peer}", i.direct("telegram", peer)


def _whatsapp(i: Inventor) -> tuple[str, Entry]:
    peer = f"+4915{i.digits(8)}"
    return f"whatsapp:direct:{peer}", i.direct("whatsapp", peer)


def _signal(i: Inventor) -> tuple[str, Entry]:
    peer = f"+4917{i.digits(8)}"
    return f"signal:direct:{peer}", i.direct("signal", peer)


def _discord_account(i: Inventor) -> tuple[str, Entry]:
    peer = i.digits(18)
    return f"discord:default:direct:{peer}", i.direct("discord", peer)


def _plain_direct(i: Inventor) -> tuple[str, Entry]:
    peer = i.digits(7)
    return f"direct:{peer}", i.direct("imessage", peer)


def _old_direct(i: Inventor) -> tuple[str, Entry]:
    peer = i.digits(9)
    return f"telegram:dm:{peer}", i.direct("telegram", peer)


def _telegram_topic(i: Inventor) -> tuple[str, Entry]:
    group, topic = f"-100{i.digits(10)}", i.random.randrange(1, 60)
    entry = i.group("telegram", group)
    entry["lastThreadId"] = topic
    return f"telegram:group:{group}:topic:{topic}", entry


def _whatsapp_group(i: Inventor) -> tuple[str, Entry]:
    group = f"1203{i.digits(14)}@g.us"
    return f"whatsapp:group:{group}", i.group("whatsapp", group)


def _discord_channel(i: Inventor) -> tuple[str, Entry]:
    room = i.digits(18)
    return f"discord:channel:{room}", i.group("discord", room, chat="channel")


def _slack_thread(i: Inventor) -> tuple[str, Entry]:
    room, thread = f"c0{i.digits(7)}", f"179{i.digits(7)}.{i.digits(6)}"
    entry = i.group("slack", room, chat="channel")
    entry["lastThreadId"] = thread
    return f"slack:channel:{room}:thread:{thread}", entry


def _matrix_room(i: Inventor) -> tuple[str, Entry]:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    room = "!" + "".join(i.random.choices(letters, k=12)) + ":example.org"
    return f"matrix:channel:{room}", i.group("matrix", room, chat="channel")


def _named(prefix: str, label: tuple[str, ...] | None = None) -> Shape:
    def shape(i: Inventor) -> tuple[str, Entry]:
        return prefix + i.uuid(), {"label": i.random.choice(label)} if label else {}

    return shape


def _only(key: str) -> Shape:
    return lambda i: (key, {"lastChannel": "webchat", "lastTo": "webchat:local"})


def _cron(i: Inventor) -> tuple[str, Entry]:
    return f"cron:{i.uuid()}", {"label": f"Cron: {i.random.choice(cast.TASKS)}"}


def _cron_run(i: Inventor) -> tuple[str, Entry]:
    status = i.random.choice(("done", "done", "done", "failed", "running"))
    return f"cron:{i.uuid()}:run:{i.uuid()}", {"status": status, "runtimeMs": 40_000}


def _subagent(i: Inventor) -> tuple[str, Entry]:
    parent = f"agent:{i.agent_id}:main"
    label = i.random.choice(cast.TOPICS)
    return f"subagent:{i.uuid()}", {"spawnedBy": parent, "spawnDepth": 1, "label": label}


def _voice(i: Inventor) -> tuple[str, Entry]:
    peer = f"+4930{i.digits(7)}"
    return f"voice:{peer}", i.direct("voice", peer)


def _shapes_of_people() -> list[Shape]:
    return [
        _only("main"), _telegram, _whatsapp, _telegram_topic, _whatsapp_group,
        _discord_channel, _slack_thread, _matrix_room, _signal, _discord_account,
        _plain_direct, _old_direct, _voice, _named("dashboard:", cast.TOPICS),
        _named("openai:"), _named("openresponses-user:"), _named("tui-"), _named("explicit:"),
    ]  # fmt: skip


def _shapes_of_machines() -> list[Shape]:
    return [
        _cron, _cron_run, _cron_run, _cron_run, _subagent, _subagent, _named("acp:"),
        _named("hook:"), _named("node-"), _named("acp-bridge:"), _named("explicit:model-run-"),
        _named("commitments:"),
    ]  # fmt: skip


SINGLE_KEYS = ("heartbeat", "main:heartbeat", "boot", "telegram:slash:100200300", "global")
"""Rests of keys that exist at most once per agent."""
