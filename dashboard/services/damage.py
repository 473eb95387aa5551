"""What can be read of a damaged entry, as text: masked, cut, never parsed as anything else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore.entries import NotAnEntryError, decode, redact
from sessionstore.errors import SessionStoreError
from sessionstore.files import read_file
from sessionstore.paths import StorePaths

from .tree import visible

MAX_SHOWN = 8_000
_PAIR = re.compile(r'"((?:[^"\\\n]|\\.){1,200})"\s*:\s*"((?:[^"\\]|\\.)*)("?)')


@dataclass(frozen=True, slots=True)
class Damage:
    """``place`` is where parsing stopped; ``text`` the readable part, ``cut`` what is not shown."""

    place: str
    text: str
    cut: str
    size_bytes: int
    after: str = ""


def damage_of(paths: StorePaths, key: str, file_name: str) -> Damage | None:
    """Read what can be read of a damaged file; None when it may not be opened or is sound."""
    if file_name == paths.store_path.name:
        return None  # one bad value in a legacy file: the others' text is not this session's
    try:
        data = read_file(paths.directory / file_name)
    except (FileNotFoundError, SessionStoreError):
        return None
    try:
        decode(data)
    except NotAnEntryError as error:
        return _damage(data, str(error))
    return None


def _damage(data: bytes, place: str) -> Damage:
    text = data[: MAX_SHOWN * 4].decode("utf-8", "replace")
    stop = _stop(text)
    cut = _("%s bytes in all") % f"{len(data):,}" if len(text) > MAX_SHOWN else ""
    masked = visible(mask_text(text[:MAX_SHOWN]))
    if stop is None or stop >= MAX_SHOWN:
        return Damage(place, masked, cut, len(data))
    before = visible(mask_text(text[:stop]))
    after = visible(mask_text(text[stop:MAX_SHOWN]))
    return Damage(place, before, cut, len(data), after)


def _stop(text: str) -> int | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos
    except RecursionError:
        return None
    return None


def mask_text(text: str) -> str:
    """Mask JSON text that cannot be parsed: each ``"name": "value"`` as if it were a field.

    A secret in a string that lost its name's quotes is only caught if its own form gives it
    away, as everywhere.
    """

    def masked(found: re.Match[str]) -> str:
        value = redact({found[1]: found[2]}).popitem()[1]
        return found[0] if value == found[2] else f'"{found[1]}": "{value}{found[3]}'

    return str(redact(_PAIR.sub(masked, text)))
