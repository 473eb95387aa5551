"""L3: a file per session, as PRs 34686 to 42524 write it, and ours below ``x/``.

Names may be odd: of upper case, of non-ASCII, with a leading dot. Each is read that spells its
key in PR 42186's way (``keys.key_from_name``).
"""

from __future__ import annotations

from collections.abc import Iterable

from ...entries import NotAnEntryError, decode, encode, parse_value, split
from ...errors import InvalidKeyError, SessionStoreError
from ...keys import SIDE_AREA, key_from_name, locate
from ..shapes import Source
from .gathering import Gathering, shown
from .reading import Bytes, Folder, below, read


def read_session_files(
    gathering: Gathering, folder: Folder, names: Iterable[str], side_names: Iterable[str] = ()
) -> None:
    """Offer the entry of each named file of a directory, and of each named one below ``x/``."""
    taken = size = 0
    for name in names:
        key = key_from_name(name)
        found = read(folder, name, gathering.max_entry_bytes)
        if key is None or found is None:
            continue
        size += len(found.data)
        taken += offer_file(gathering, folder, name, key, found)
    side_names = tuple(side_names)
    if side_names:
        with below(folder, SIDE_AREA) as inner:
            for name in side_names:
                if (found := read(inner, name, gathering.max_entry_bytes)) is not None:
                    size += len(found.data)
                    taken += _offer_wrapped(gathering, folder, inner, name, found)
    if taken or size:
        gathering.sources.append(Source("files", folder.name, taken, size))


def offer_file(gathering: Gathering, folder: Folder, name: str, key: str, found: Bytes) -> bool:
    """Offer a bare entry; what cannot be read is blocked under its key."""
    if found.trouble:
        reason = f"cannot be read: {found.trouble}" if not found.unsafe else found.trouble
        try:
            key = locate(key).key
        except InvalidKeyError as error:
            gathering.report("invalid-key", error.message, path=folder.path_of(name))
            return False
        gathering.block(key, f"{name} {reason}", source=folder.name, size=0)
        return False
    path = folder.path_of(name)
    return gathering.offer(key, found.data, source=folder.name, mtime_ns=found.mtime_ns, path=path)


def _offer_wrapped(
    gathering: Gathering, folder: Folder, inner: Folder, name: str, found: Bytes
) -> bool:
    wrapped = None if found.trouble else unwrapped(found.data)
    key = None if wrapped is None else wrapped[0]
    try:
        belongs = key is not None and locate(key).file_name == f"{SIDE_AREA}/{name}"
    except InvalidKeyError:
        belongs = False
    if wrapped is None or not belongs:
        gathering.report(
            "damaged-entry",
            f"{inner.path_of(name)} {found.trouble or 'does not hold the session of its name'}",
            path=inner.path_of(name),
            hint="it stays in what is kept of the source",
            severity="error",
        )
        return False
    return gathering.offer(
        wrapped[0],
        wrapped[1],
        source=folder.name,
        mtime_ns=found.mtime_ns,
        path=inner.path_of(name),
    )


def unwrapped(data: bytes) -> tuple[str, bytes] | None:
    """Key and entry of ``{"sessionKey": ..., "entry": {...}}``; None for anything else.

    The entry keeps its bytes, unindented by one level.
    """
    fields = split(data)
    if fields is None:
        return _unwrapped_slowly(data)
    if set(fields) != {"sessionKey", "entry"}:
        return None
    try:
        key = parse_value(fields["sessionKey"])
    except NotAnEntryError:
        return None
    body = bytes(fields["entry"])
    if not isinstance(key, str) or not body.startswith(b"{"):
        return None
    return key, body.replace(b"\n  ", b"\n")


def _unwrapped_slowly(data: bytes) -> tuple[str, bytes] | None:
    try:
        whole = decode(data)
        if set(whole) != {"sessionKey", "entry"} or not isinstance(whole["sessionKey"], str):
            return None
        return whole["sessionKey"], encode(whole["entry"])
    except (NotAnEntryError, SessionStoreError):
        return None


def report_other(gathering: Gathering, folder: Folder, name: str) -> None:
    """Name something that is no session of any form."""
    if name.endswith(".tmp"):
        gathering.report(
            "leftover-temporary",
            f"{shown(name)} in {folder.name} is what a killed write left, and is not taken over",
            path=folder.path_of(name),
            severity="info",
        )
        return
    gathering.report(
        "foreign-file",
        f"{shown(name)} in {folder.name} is no session of any known form and is not taken over",
        path=folder.path_of(name),
        hint="it stays in what is kept of the source",
    )
