"""L4: PR 51946's ``entries/session-<base64url>.json``, early (bare) and final (wrapped) content.

Names longer than 120 bytes are a digest; then only the content tells the key. A directory whose
``state.json`` was lost (window W13) is read all the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

from ..shapes import Source
from .directory import ENTRIES, State
from .gathering import Gathering, shown
from .reading import Bytes, Folder, below, read
from .sessionfiles import offer_file, report_other, unwrapped

_PREFIX: Final = "session-"
_HASHED: Final = "session-hash-"
_SUFFIX: Final = ".json"
_MAX_INLINE_BYTES: Final = 120


def read_entry_folder(gathering: Gathering, folder: Folder, *, state: State) -> None:
    """Offer every entry of ``entries/`` below an open ``sessions.d``."""
    taken = size = 0
    with below(folder, ENTRIES) as inner:
        for name in inner.names():
            if not name.startswith(_PREFIX) or not name.endswith(_SUFFIX):
                report_other(gathering, inner, name)
                continue
            found = read(inner, name, gathering.max_entry_bytes)
            if found is not None:
                size += len(found.data)
                taken += _offer(gathering, inner, name, found)
        if taken or size:
            gathering.sources.append(Source("entries", inner.name, taken, size))
        if state != "sound" and (taken or size):
            what = "a damaged state.json" if state else "no state.json"
            gathering.report(
                "lost-state",
                f"{folder.name} has {ENTRIES}/ and {what}: OpenClaw PR 51946 shows an empty store; "
                f"{taken} sessions are read from it",
                path=inner.name,
            )


def _offer(gathering: Gathering, inner: Folder, name: str, found: Bytes) -> bool:
    named = key_of_entry_name(name)
    if found.trouble:
        if named is not None:
            return offer_file(gathering, inner, name, named, found)
        _report(gathering, inner, name, found.trouble)
        return False
    wrapped = unwrapped(found.data)
    if wrapped is None:
        if named is None:
            _report(gathering, inner, name, "does not say whose session it is")
            return False
        return offer_file(gathering, inner, name, named, found)
    key, body = wrapped
    if name not in entry_names(key):
        _report(gathering, inner, name, f"holds {shown(key)}, whose file has another name")
    path = inner.path_of(name)
    return gathering.offer(key, body, source=inner.name, mtime_ns=found.mtime_ns, path=path)


def key_of_entry_name(name: str) -> str | None:
    """The key that an inline name spells; None for a digest or no such name."""
    stem = name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
    if name.startswith(_HASHED):
        return None  # no key's base64url begins like that: it would be no UTF-8
    try:
        key = base64.b64decode(stem + "=" * (-len(stem) % 4), altchars=b"-_", validate=True)
        spelt = key.decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return spelt if spelt and name in entry_names(spelt) else None


def entry_names(key: str) -> tuple[str, ...]:
    """The inline and the digest name of a key, without padding.

    The early commits wrote inline names of any length, so both are a key's own.
    """
    data = key.encode("utf-8", "surrogatepass")
    inline = base64.urlsafe_b64encode(data).decode().rstrip("=")
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return (f"{_PREFIX}{inline}{_SUFFIX}", f"{_HASHED}{digest}{_SUFFIX}")


def _report(gathering: Gathering, inner: Folder, name: str, why: str) -> None:
    gathering.report(
        "foreign-file",
        f"{inner.path_of(shown(name))} {why}",
        path=inner.path_of(name),
        hint="it stays in what is kept of the source",
    )
