"""L1: PR 4664's ``<sessionId>.meta.json`` beside the transcripts.

The key is nowhere in the file, so it is joined through the ``sessionId`` of the entries of
``sessions.json``, and only where exactly one has it (cron parent and run share one). The store
file is the store and these are copies of single updates: one counts only when its ``updatedAt``
is newer (windows W1 to W3).
"""

from __future__ import annotations

from collections import defaultdict

from ...entries import decode, updated_at_ms
from ...files import list_names
from ..shapes import Source
from .collected import Row
from .gathering import Gathering, shown
from .judging import judge
from .reading import Bytes, Folder, opened, read

SUFFIX = ".meta.json"
NAME = f"*{SUFFIX}"


def read_meta_files(gathering: Gathering, *, has_store: bool) -> None:
    """Let each side file compete with the session that it belongs to."""
    parent = gathering.paths.store_path.parent
    with opened(parent, ".", named=True) as folder:
        if folder is None:
            return
        names = sorted(name for name in list_names(folder.fd) if _is_meta(name))
        if not names:
            return
        if not has_store:
            gathering.report(
                "no-store-file",
                f"{len(names)} files {NAME} stand here, but no {gathering.paths.store_path.name} "
                "that would tell their keys: none is taken over",
                path=NAME,
                severity="info",
            )
            return
        _read_all(gathering, folder, names)


def _is_meta(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".") and name != SUFFIX


def _read_all(gathering: Gathering, folder: Folder, names: list[str]) -> None:
    keys = _keys_by_session_id(gathering)
    taken = size = 0
    for name in names:
        found = read(folder, name, gathering.max_entry_bytes)
        if found is None:
            continue
        size += len(found.data)
        taken += _join(gathering, name, found, keys)
    gathering.sources.append(Source("meta", NAME, taken, size))


def _keys_by_session_id(gathering: Gathering) -> dict[str, list[str]]:
    name = gathering.paths.store_path.name
    keys: dict[str, list[str]] = defaultdict(list)
    for row in gathering.rows.values():
        if row.source == name and isinstance(session_id := decode(row.data).get("sessionId"), str):
            keys[session_id].append(row.key)
    return keys


def _join(gathering: Gathering, name: str, found: Bytes, keys: dict[str, list[str]]) -> bool:
    judged = judge(found.data, gathering.max_entry_bytes)
    if found.trouble or judged.entry is None:
        _report(gathering, name, found.trouble or judged.reason)
        return False
    stem = name.removesuffix(SUFFIX)
    session_id = judged.entry.get("sessionId", stem)
    if session_id != stem:
        _report(gathering, name, "names another session than its file")
        return False
    claims = keys.get(stem, [])
    if len(claims) != 1:
        why = f"{len(claims)} sessions have" if claims else "no session has"
        _report(gathering, name, f"cannot be joined: {why} this session id")
        return False
    stored = gathering.rows[claims[0]]
    updated = updated_at_ms(judged.entry) or 0
    if updated > stored.updated_at_ms:
        gathering.add(Row(stored.key, found.data, updated, NAME, stored.spelt, found.mtime_ns))
    return True


def _report(gathering: Gathering, name: str, why: str) -> None:
    gathering.report(
        "unjoined-meta",
        f"{shown(name)} {why}; it is not taken over",
        path=name,
        hint="it stays where it is",
    )
