"""What a name below ``sessions.d`` is: a session's file, a foreign one, or nothing of interest."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ..errors import InvalidKeyError
from ..keys import (
    MAX_INLINE_NAME_BYTES,
    SIDE_AREA,
    SUFFIX,
    is_side_name,
    key_from_name,
    locate,
)
from .rows import NO_KEY_PREFIX

# Nearly every name. Whatever this does not match takes the exact way, ten times slower.
_USUAL = re.compile(
    r"agent%3A(?:[a-z0-9!#$&'()+,\-.;=@\[\]^_`{}~]|%(?:3A|2F|5C|25))*[a-z0-9]\.json"
)


class Named(NamedTuple):
    """One name: its id in the table, its key if the name tells it, and whether to read it."""

    id: str
    key: str | None
    session: bool
    awkward: bool


def classify(name: str, *, marked: bool) -> Named | None:
    """What a relative name means in an adopted (``marked``) or other directory; None: skip it.

    Dot names are ours or somebody's temporary files, except ones that are sessions to the
    programs that write unmarked directories; in a marked one these are foreign.
    """
    if _USUAL.fullmatch(name) and len(name) <= MAX_INLINE_NAME_BYTES:
        usual = name[: -len(SUFFIX)].replace("%3A", ":")
        if "%" in usual:
            usual = usual.replace("%5C", "\\").replace("%2F", "/").replace("%25", "%")
        return Named(usual, usual, session=True, awkward=False)
    if name.startswith(SIDE_AREA + "/"):
        own = is_side_name(name[len(SIDE_AREA) + 1 :])
        return Named(file_id(name), None, session=own, awkward=False)
    spelt = key_from_name(name)
    key = None if spelt is None else folded(spelt)
    if key is not None and locate(key).file_name == name and spelt == key:
        return Named(key, key, session=True, awkward=False)
    if name == SIDE_AREA or (name.startswith(".") and (spelt if marked else key) is None):
        return None
    if key is None or marked:
        return Named(file_id(name), None, session=False, awkward=False)
    return Named(file_id(name), key, session=True, awkward=True)


def usual_key(name: str) -> str:
    """The id of a canonical name that needs no more than colons decoded, else something else.

    Five times as fast as :func:`classify`, for names that are expected: only an id that is
    already known to be a key's own says that the name is canonical.
    """
    key = name[: -len(SUFFIX)].replace("%3A", ":")
    return key if name.endswith(SUFFIX) and "%" not in key and "\\" not in key else ""


def folded(spelt: str) -> str | None:
    """The key that a spelling means; None when it is no session key."""
    try:
        return locate(spelt).key
    except InvalidKeyError:
        return None


def file_id(name: str) -> str:
    """Id of a file that does not stand where a key belongs. Bytes that are no UTF-8 are escaped."""
    return NO_KEY_PREFIX + printable(name)


def printable(name: str) -> str:
    """A file name that can be encoded, so that a page or a snapshot can show it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
