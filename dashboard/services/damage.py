"""What can be read of a damaged entry, as text: masked, cut, never parsed as anything else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore.databasefile import database_path
from sessionstore.entries import MASK, NotAnEntryError, decode, redact
from sessionstore.errors import SessionStoreError
from sessionstore.files import read_file
from sessionstore.paths import StorePaths

from .tree import visible

MAX_SHOWN = 8_000
_MARK = "\0"
# A name, quoted or bare, and its value: a quoted text up to its end or to the end of all, an
# object or list up to its last bracket, or whatever stands before the next comma.
_NAMED = re.compile(
    r"""
    (["']?([A-Za-z_][\w.-]{0,199})["']?\s*:\s*)
    (?: "(?:[^"\\]|\\.)*(?:"|\Z) | '(?:[^'\\]|\\.)*(?:'|\Z) | [{\[].*?(?:[}\]]|\Z) | [^\s,}\]]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


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
    if file_name in (paths.store_path.name, database_path(paths).name):
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
    text = data[: MAX_SHOWN * 4].decode("utf-8", "replace").replace(_MARK, " ")
    stop = _stop(text)
    cut = _("%s bytes in all") % f"{len(data):,}" if len(text) > MAX_SHOWN else ""
    text = text[:MAX_SHOWN]
    if stop is not None and stop < MAX_SHOWN:
        text = f"{text[:stop]}{_MARK}{text[stop:]}"
    # Masked as a whole: a half would hide which name a value belongs to. A place inside a
    # secret goes with it.
    before, _mark, after = mask_text(text).partition(_MARK)
    return Damage(place, visible(before), cut, len(data), visible(after))


def _stop(text: str) -> int | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos
    except (RecursionError, ValueError):
        return None  # a number of thousands of digits is no place either
    return None


def mask_text(text: str) -> str:
    """Mask JSON text that cannot be parsed, as far as its names can be told.

    It is broken, so when in doubt more is masked: after a secret name everything up to the end
    of its value or, where no end can be told, of the text.
    """

    def masked(found: re.Match[str]) -> str:
        return found[0] if redact({found[2]: "x"})[found[2]] == "x" else f"{found[1]}{MASK}"

    return str(redact(_NAMED.sub(masked, text)))
