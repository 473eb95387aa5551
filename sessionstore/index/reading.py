"""One entry's bytes to a :class:`Row`, whatever they hold.

Any field may have any type: an odd one counts as absent. Texts are cut and cleaned, so that a
row is small and harmless whatever a gateway wrote. Sources: openclaw-format §2.3 and §3.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from ..entries import redact
from ..errors import Finding
from .fields import OVERRIDES, Fields
from .kinds import agent_id_of_key, channel_in_key, kind_of, rest_of_key
from .rows import Row, Traits

Shared = TypeVar("Shared")

LARGE_BYTES: Final = 64 * 1024
MAX_TEXT: Final = 200
MAX_WORD: Final = 40
_SHORTEST_KEY, _LONGEST_KEY = 12, 4_096
MAX_TIME_MS: Final = 253_402_300_799_999  # the last moment of the year 9999
MAX_COUNT: Final = 2**53
_MAX_SHARED: Final = 50_000
_MOST_KNOWN: Final = 1_000
_JOINERS: Final = "\u200c\u200d"  # format characters that emoji and some scripts need
_OVERRIDE_WORDS: Final = tuple(OVERRIDES.values())
_NO_OVERRIDES: Final = (None,) * len(OVERRIDES)


class Rows:
    """Makes rows, sharing what repeats. One per index; not thread-safe."""

    def __init__(self, layout: str, agent_id: str | None) -> None:
        self.layout = layout
        self.agent_id = agent_id
        self._shared: dict[Any, Any] = {}
        self._traits: dict[tuple[Any, ...], Traits] = {}

    def row(
        self,
        key: str,
        fields: Fields,
        *,
        size: int,
        place: str | None = None,
        stamp: int = 0,
        awkward: bool = False,
        problem: Finding | None = None,
    ) -> Row:
        """A row of a readable entry."""
        rest = rest_of_key(key)
        updated = fields.updated_at
        shown = _time(updated)
        overrides = self.share(_overrides(fields))
        name, words = _titles(fields)
        return Row(
            key=key,
            traits=self.traits(
                _kind(rest, fields),
                _channel(rest, fields),
                _word(fields.status),
                _flags(fields, shown, size, awkward),
                bool(overrides),
                problem is not None,
            ),
            agent_id=self.agent_of(key),
            name=name,
            words=words,
            session_id=_session_id(fields.session_id),
            updated_at_ms=shown,
            size_bytes=size,
            model=self.share(_model(fields)),
            total_tokens=_tokens(fields),
            context_tokens=self.share(_count(fields.context_tokens)),
            overrides=overrides,
            problem=problem,
            place=place,
            stamp=stamp,
            rank=_rank(updated, shown),
        )

    def problem_row(
        self,
        key: str,
        problem: Finding,
        *,
        size: int,
        place: str | None,
        stamp: int = 0,
        flags: tuple[str, ...] = (),
    ) -> Row:
        """A row of something that cannot be read as an entry."""
        rest = rest_of_key(key)
        return Row(
            key=key,
            traits=self.traits(kind_of(rest), _word(channel_in_key(rest)), "", flags, False, True),
            agent_id=self.agent_of(key),
            size_bytes=size,
            problem=problem,
            place=place,
            stamp=stamp,
        )

    def traits(
        self,
        kind: str,
        channel: str,
        status: str,
        flags: tuple[str, ...],
        overridden: bool,
        damaged: bool,
    ) -> Traits:
        """The one object for these traits."""
        wanted = (kind, channel, status, flags, overridden, damaged)
        found = self._traits.get(wanted)
        if found is None:
            if len(self._traits) > _MAX_SHARED:
                self._traits.clear()  # only hostile values get here; it costs some memory
            found = self._traits[wanted] = Traits(*wanted, layout=self.layout)
        return found

    def share(self, value: Shared) -> Shared:
        """The first equal value seen, so that repeated ones are kept once."""
        if len(self._shared) > _MAX_SHARED:
            self._shared.clear()
        shared: Shared = self._shared.setdefault(value, value)
        return shared

    def agent_of(self, key: str) -> str | None:
        """The agent that the key names, else the store's."""
        return self.share(agent_id_of_key(key)) or self.agent_id


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text for a list: masked, one line, cut, without control, direction, surrogate characters.

    Masked here, so that neither a search nor the order of a list tells what was masked; and before
    it is cut, since the rest of a key would not be known for one any more.
    """
    return one_line(str(redact(text[: limit + _LONGEST_KEY])), limit)


def one_line(text: str, limit: int = MAX_TEXT) -> str:
    """Text on one line, cut, without control, direction or surrogate characters."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in _JOINERS else " " if char.isspace() else "\ufffd"
        for char in text
    )


def _session_id(value: object) -> str | None:
    """The id as it is, to be compared with others; only one that no gateway makes is changed."""
    if not isinstance(value, str) or not value:
        return None
    return one_line(value) if len(value) <= MAX_TEXT else clean(value)


def _word(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return _known_word(value) if len(value) <= 2 * MAX_TEXT else _folded_word(value)


def _folded_word(value: str) -> str:
    word = value.strip()
    if not word.isalnum() or len(word) > _SHORTEST_KEY:
        word = str(redact(word))  # before it is folded, for the same reason
    return clean(word.lower(), MAX_WORD)


_known_word = lru_cache(maxsize=_MOST_KNOWN)(_folded_word)


def _text(value: object) -> str:
    if value is None:
        return ""
    return clean(value.strip()) if isinstance(value, str) else ""


_known_text = lru_cache(maxsize=_MOST_KNOWN)(_text)


def _repeated(value: object) -> str:
    """A text that many rows have; one that is too long to be kept is cleaned each time."""
    is_short = isinstance(value, str) and len(value) <= 2 * MAX_TEXT
    return _known_text(value) if is_short else _text(value)


def _inside(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _titles(fields: Fields) -> tuple[str, str]:
    titles = (
        fields.label,
        fields.subject,
        fields.group_channel,
        fields.room,
        fields.display_name,
    )
    found = [text for title in titles if (text := _text(title))]
    if not found:
        return _text(_inside(fields.origin, "label")), ""
    if len(found) == 1:
        return found[0], ""
    others = dict.fromkeys(found[1:])
    others.pop(found[0], None)
    return found[0], clean(" ".join(others)) if others else ""


def _kind(rest: str, fields: Fields) -> str:
    if rest == "sessions" and fields.session_id is None and fields.updated_at is None:
        return "internal"  # OpenClaw's phantom row (openclaw-format §2.1)
    return kind_of(rest, fields.chat_type or _inside(fields.origin, "chatType"))


def _channel(rest: str, fields: Fields) -> str:
    return (
        _word(fields.channel)
        or _word(fields.provider)
        or _word(channel_in_key(rest))
        or _word(fields.last_channel)
        or _word(fields.last_provider)
        or _word(_inside(fields.delivery_context, "channel"))
        or _word(_inside(fields.origin, "provider"))
    )


def _model(fields: Fields) -> str:
    model, provider = _repeated(fields.model), _repeated(fields.model_provider)
    return _repeated(f"{provider}/{model}") if model and provider else model


def _overrides(fields: Fields) -> tuple[str, ...]:
    values = msgspec.structs.astuple(fields)[-len(_NO_OVERRIDES) :]
    if values == _NO_OVERRIDES:
        return ()
    paired = zip(_OVERRIDE_WORDS, values, strict=True)
    return tuple(word for word, value in paired if value is not None and value != "")


def _flags(fields: Fields, shown: int | None, size: int, awkward: bool) -> tuple[str, ...]:
    found = []
    if not (isinstance(fields.session_id, str) and fields.session_id):
        found.append("no-session-id")
    if shown is None:
        found.append("no-updated-at")
    if _time(fields.archived_at) is not None:
        found.append("archived")
    if _time(fields.pinned_at) is not None:
        found.append("pinned")
    if fields.aborted_last_run is True:
        found.append("aborted")
    if fields.model_override is not None and fields.model_override_source == "auto":
        found.append("failover")
    if size > LARGE_BYTES:
        found.append("large")
    if awkward:
        found.append("awkward-name")
    return tuple(found)


def _whole(value: object, most: int) -> int | None:
    """A JSON number from 0 to ``most``, cut to whole; None for anything else."""
    if type(value) is not int:
        if not isinstance(value, float) or not math.isfinite(value):
            return None
        value = int(value)
    return value if 0 <= value <= most else None


def _time(value: object) -> int | None:
    return _whole(value, MAX_TIME_MS)


def _tokens(fields: Fields) -> int | None:
    # OpenClaw shows the number unless it is known to be outdated (openclaw-format §3.5).
    return None if fields.total_tokens_fresh is False else _count(fields.total_tokens)


def _count(value: object) -> int | None:
    return _whole(value, MAX_COUNT)


def _rank(value: object, shown: int | None) -> int:
    """``updatedAt`` for comparing two files of one key, as ``adoption`` compares them."""
    if shown is not None and type(value) is int:
        return shown  # the same object again, so it costs no memory
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, float) and math.isfinite(value) else 0
