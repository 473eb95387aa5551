"""L2: PR 19528's ``sessions.d/<key with : as -->/meta.json``.

The name does not tell the key for sure: ``a:b`` and ``a--b`` are one folder. Where the program's
own backup of ``sessions.json`` has exactly one key for a folder, that is the key; else ``--`` is
``:``, and a warning says so where it could be read in another way (layout-variants §1, §7.3).
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Mapping, Set
from typing import NamedTuple

from ...entries import NotAnEntryError, decode
from ...errors import SessionStoreError
from ...files import list_names
from ..shapes import Source
from .directory import META, Parts
from .gathering import Gathering, shown
from .reading import Bytes, Folder, below, read
from .storefile import keys_of

BACKUP_INFIX = ".pre-directory-migration."


class Known(NamedTuple):
    """A key that a backup or the store file has, and its entry there."""

    key: str
    data: bytes


def read_session_folders(gathering: Gathering, folder: Folder, parts: Parts) -> None:
    """Offer the ``meta.json`` of each folder that :func:`directory.sort_names` found."""
    if not parts.folders:
        return
    known = _known_keys(gathering)
    taken = size = 0
    plain = []
    for path in parts.folders:
        found = _read_meta(gathering, folder, path)
        if found is None:
            continue
        size += len(found.data)
        key, certain = _key_of(gathering, folder, path, found, known.get(path, ()))
        plain += [] if certain else [path]
        if found.trouble:
            gathering.block(key, found.trouble, source=folder.name, size=0)
            continue
        taken += gathering.offer(
            key,
            found.data,
            source=folder.name,
            mtime_ns=found.mtime_ns,
            path=folder.path_of(f"{path}/{META}"),
        )
    gathering.sources.append(Source("folders", folder.name, taken, size))
    _report_plain(gathering, folder, plain)
    _report_missing(gathering, folder, known.keys() - set(parts.folders))


def _read_meta(gathering: Gathering, folder: Folder, path: str) -> Bytes | None:
    head, _, rest = path.partition("/")
    try:
        with below(folder, head) as inner:
            if rest:
                return _read_meta(gathering, inner, rest)
            return read(inner, META, gathering.max_entry_bytes)
    except FileNotFoundError:
        return None  # gone since it was listed
    except SessionStoreError as error:
        return Bytes(b"", 0, error.message)


def _key_of(
    gathering: Gathering,
    folder: Folder,
    path: str,
    found: Bytes,
    known: tuple[Known, ...],
) -> tuple[str, bool]:
    """The folder's key, and whether it is certain or was warned of."""
    if len(known) == 1:
        return known[0].key, True
    decoded = path.replace("--", ":")
    if known:
        session_id = _session_id(found.data)
        same = [one for one in known if session_id and _session_id(one.data) == session_id]
        key = same[0].key if len(same) == 1 else decoded
        _warn(
            gathering,
            folder,
            path,
            f"stands for {len(known)} known keys and is taken for {shown(key)}",
        )
        return key, True
    if "---" in path:
        _warn(gathering, folder, path, f"could be several keys and is taken for {shown(decoded)}")
        return decoded, True
    # agent--<id>--<rest>: two separators are certain, one more may be part of the key.
    return decoded, path.count("--") <= 2


def _warn(gathering: Gathering, folder: Folder, path: str, why: str) -> None:
    gathering.report(
        "ambiguous-name",
        f"{folder.name}/{shown(path)} {why}",
        path=folder.path_of(path),
        hint="compare its session id with the conversation; rename the session if it is another's",
    )


def _report_plain(gathering: Gathering, folder: Folder, plain: list[str]) -> None:
    if plain:
        gathering.report(
            "ambiguous-name",
            f"{len(plain)} folders of {folder.name} have more than two '--' and no backup names "
            f"their keys, so each '--' is read as ':' (first: {shown(min(plain))})",
            path=folder.name,
            hint="a key with a literal '--' would have the same folder; look at those you know",
        )


def _report_missing(gathering: Gathering, folder: Folder, paths: Set[str]) -> None:
    """Sessions of a backup without a folder: deleted since, or never written (window W4)."""
    if gathering.has_store_file():
        return  # the store file has them, as that program was killed before its backup
    if paths:
        count = "1 session" if len(paths) == 1 else f"{len(paths):,} sessions"
        gathering.report(
            "only-in-backup",
            f"{count} of the backup of PR 19528 have no folder in {folder.name} (first: "
            f"{shown(min(paths))}): deleted since, or never written by a run that was killed",
            path=folder.name,
            hint="restore them from the backup if they are wanted",
            severity="info",
        )


def _session_id(data: bytes) -> str | None:
    try:
        value = decode(data).get("sessionId")
    except NotAnEntryError:
        return None
    return value if isinstance(value, str) else None


def _known_keys(gathering: Gathering) -> Mapping[str, tuple[Known, ...]]:
    """Keys of the store file and of every backup that PR 19528 left, by their folder.

    The store file counts because a killed run of that program (window W4) leaves it in place.
    """
    paths = gathering.paths
    prefix = paths.store_path.name + BACKUP_INFIX
    parent = paths.store_path.parent
    found: dict[str, dict[str, Known]] = defaultdict(dict)
    for name in sorted(one for one in list_names(parent) if one.startswith(prefix)):
        try:
            rows = keys_of(parent / name)
        except (FileNotFoundError, SessionStoreError) as error:
            gathering.report("unreadable", f"{name} cannot be read: {error}", path=name)
            continue
        for key, raw in rows.items():
            _note(gathering, found, name, Known(key, raw))
    if gathering.has_store_file():
        for row in gathering.rows.values():
            _note(gathering, found, row.source, Known(row.spelt, row.data))
    return {path: tuple(keys.values()) for path, keys in found.items()}


def _note(
    gathering: Gathering, found: dict[str, dict[str, Known]], source: str, known: Known
) -> None:
    path = posixpath.normpath("in/" + known.key.replace(":", "--"))
    if path.startswith("in/"):
        found[path.removeprefix("in/")][known.key] = known
        return
    gathering.report(
        "outside-name",
        f"{source} has the key {shown(known.key)}, whose folder would be outside of sessions.d: "
        "nothing there is read",
        path=source,
        hint="restore that session from the backup if it is wanted",
    )
