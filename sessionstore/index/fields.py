"""The fields of an entry that a list shows, parsed without building the rest.

msgspec skips what is not named here. What it cannot read goes to ``entries.decode``, so the
index calls damaged exactly what the store calls damaged. Names: openclaw-format §3.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .. import entries
from ..entries.codec import MAX_DEPTH

OVERRIDES: Final = {
    "model_override": "model",
    "provider_override": "provider",
    "thinking_level": "thinking",
    "fast_mode": "fast",
    "verbose_level": "verbose",
    "trace_level": "trace",
    "reasoning_level": "reasoning",
    "elevated_level": "elevated",
    "tts_auto": "tts",
    "exec_host": "exec-host",
    "exec_security": "exec-security",
    "exec_ask": "exec-ask",
    "exec_node": "exec-node",
    "response_usage": "usage",
    "auth_profile_override": "auth-profile",
    "agent_runtime_override": "runtime",
    "group_activation": "activation",
    "send_policy": "send-policy",
    "queue_mode": "queue",
    "queue_debounce_ms": "queue-debounce",
    "queue_cap": "queue-cap",
    "queue_drop": "queue-drop",
}
"""Field of :class:`Fields` to the word that a list shows for it."""


class Fields(msgspec.Struct, rename="camel", gc=False):
    """What a row is made of. Any field may hold any JSON value.

    The overrides come last, in the order of :data:`OVERRIDES`.
    """

    session_id: Any = None
    updated_at: Any = None
    chat_type: Any = None
    channel: Any = None
    provider: Any = None
    last_channel: Any = None
    last_provider: Any = None
    delivery_context: Any = None
    origin: Any = None
    label: Any = None
    display_name: Any = None
    subject: Any = None
    group_channel: Any = None
    room: Any = None
    status: Any = None
    model: Any = None
    model_provider: Any = None
    total_tokens: Any = None
    total_tokens_fresh: Any = None
    context_tokens: Any = None
    archived_at: Any = None
    pinned_at: Any = None
    aborted_last_run: Any = None
    model_override_source: Any = None
    model_override: Any = None
    provider_override: Any = None
    thinking_level: Any = None
    fast_mode: Any = None
    verbose_level: Any = None
    trace_level: Any = None
    reasoning_level: Any = None
    elevated_level: Any = None
    tts_auto: Any = None
    exec_host: Any = None
    exec_security: Any = None
    exec_ask: Any = None
    exec_node: Any = None
    response_usage: Any = None
    auth_profile_override: Any = None
    agent_runtime_override: Any = None
    group_activation: Any = None
    send_policy: Any = None
    queue_mode: Any = None
    queue_debounce_ms: Any = None
    queue_cap: Any = None
    queue_drop: Any = None


# Python refuses an integer of more digits; a skipped one would not be noticed.
_ABSURD_NUMBER: Final = b"0" * 4_300
_DIGITS_ONLY: Final = bytes(48 if 48 <= code <= 57 else 32 for code in range(256))
_decode = msgspec.json.Decoder(Fields).decode


def parse(data: bytes) -> Fields:
    """The row's fields of one entry.

    Raises:
        NotAnEntryError: not one JSON object; the same bytes that ``entries.decode`` refuses.
    """
    try:
        if not data.isascii():
            data.decode()  # skipped strings are not checked for UTF-8
        if not _has_absurd_number(data) and not _may_be_too_deep(data):
            return _decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        pass  # entries.decode says what is wrong, or reads what msgspec does not
    return fields_of(entries.decode(data))


def _may_be_too_deep(data: bytes) -> bool:
    return data.count(b"[") + data.count(b"{") > MAX_DEPTH


def _has_absurd_number(data: bytes) -> bool:
    if len(data) < len(_ABSURD_NUMBER):
        return False
    return _ABSURD_NUMBER in data.translate(_DIGITS_ONLY)


def fields_of(entry: entries.Entry) -> Fields:
    """The row's fields of an entry that is parsed already."""
    encoded = zip(Fields.__struct_fields__, Fields.__struct_encode_fields__, strict=True)
    return Fields(**{name: entry.get(shown) for name, shown in encoded})
