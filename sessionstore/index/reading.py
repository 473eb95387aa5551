"""One entry's bytes to a :class:`Row`, whatever they hold.

Any field may have any type: an odd one counts as absent. Texts are cut and cleaned, so that a
row is small and harmless whatever a gateway wrote. Sources: openclaw-format §2.3 and §3.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeVar

import msgspec

from ..errors import Finding
from .fields import OVERRIDES, Fields
from .kinds import agent_id_of_key, channel_in_key, kind_of, rest_of_key
from .rows import Row, Traits
from .texts import clean, cleaned, known, known_word, session_id

Shared = TypeVar("Shared")

LARGE_BYTES: Final = 64 * 1024
MAX_TIME_MS: Final = 253_402_300_799_999  # the last moment of the year 9999
MAX_COUNT: Final = 2**53
_MAX_SHARED: Final = 50_000
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
                known_word(fields.status),
                _flags(fields, shown, size, awkward),
                bool(overrides),
                problem is not None,
            ),
            agent_id=self.agent_of(key),
            name=name,
            words=words,
            session_id=session_id(fields.session_id),
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
            traits=self.traits(
                kind_of(rest), known_word(channel_in_key(rest)), "", flags, False, True
            ),
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
    found = [text for title in titles if (text := cleaned(title))]
    if not found:
        return cleaned(_inside(fields.origin, "label")), ""
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
        known_word(fields.channel)
        or known_word(fields.provider)
        or known_word(channel_in_key(rest))
        or known_word(fields.last_channel)
        or known_word(fields.last_provider)
        or known_word(_inside(fields.delivery_context, "channel"))
        or known_word(_inside(fields.origin, "provider"))
    )


def _model(fields: Fields) -> str:
    model, provider = known(fields.model), known(fields.model_provider)
    return known(f"{provider}/{model}") if model and provider else model


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
