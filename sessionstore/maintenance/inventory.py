"""One look at everything of a store: sessions, files beside them, locks. Changes nothing.

One pass, and nothing is opened twice: each entry once, transcripts only where they are too small
to hold a conversation (2 KiB at most), our own small files of earlier incarnations. No lock is
taken, no link followed, no dead table swept. Cost: a read per entry and an ``lstat`` per file;
10,000 sessions with 7,590 transcripts take about two seconds and some 45 MB. Only where there are
blobs, every file that may refer to one is read once more, see ``blobs.unreferenced``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from .. import locks
from ..blobs import Blob, unreferenced
from ..errors import Finding, SessionStoreError
from ..files import SIDECAR_ROOT
from ..keys import key_from_name
from ..layout import Scanned, detect_layout
from ..locks import HeldLock
from ..paths import StorePaths
from ..problems import problems
from ..store import Store
from . import inventory_files, inventory_others
from .inventory_entries import facts_of, scan_settled
from .inventory_found import Found
from .inventory_links import Linker, MayLook, marked
from .inventory_others import Others
from .shapes import EntryFacts, FileFacts, Inventory

_TAKEN_UP_S = 300.0
_LIVE = frozenset(["alive", "over-limit", "other-host", "unreadable", "unexplained"])


def take(
    store: Store,
    *,
    may_look_at: MayLook = lambda agent: True,
    now_ms: int | None = None,
) -> Inventory:
    """Look at a store. ``may_look_at`` says for which other agents transcripts may be looked up.

    What cannot be read is in ``problems`` and ``unreadable``; nothing of that raises.
    """
    at_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    paths = store.paths
    found, others = inventory_files.look(paths, at_ms), Others()
    layout, entries, troubles = _entries(store, found, others)
    inventory_others.look(paths, found, others, layout, store.max_entry_bytes)
    _find_odd_names(paths, entries, found)
    linker = Linker(paths, found.files, found.named, may_look_at)
    linked = {key: linker.link(facts) for key, facts in entries.items()}
    blobs = others.blobs.union(*(facts.blobs for facts in linked.values()))
    files = marked(found.files, found.named, linker.keys_of, others.ids, blobs)
    active, files = _locks(paths, found, files, linker, linked)
    collisions = inventory_others.colliding_agents(paths, found)
    is_open = inventory_others.is_open(paths, found)
    backups, backup_bytes = inventory_others.backups_of(paths, found)
    told = {one.path for one in troubles if one.rule in ("unreadable", "unsafe-file")}
    return Inventory(
        paths=paths,
        at_ms=at_ms,
        layout=layout,
        entries=linked,
        files=files,
        problems=tuple(troubles + [one for one in found.odd if one.path not in told]),
        unreadable=tuple(one for one in found.unreadable if one.path not in told),
        active_keys=frozenset(active),
        total_bytes=sum(
            facts.size_bytes for name, facts in files.items() if not name.startswith(SIDECAR_ROOT)
        ),
        folders=found.folders,
        keys_of={name: tuple(keys) for name, keys in linker.keys_of.items()},
        other_ids=frozenset(others.ids),
        backups=backups,
        backup_bytes=backup_bytes,
        collisions=collisions,
        is_listed=found.is_listed,
        is_open_to_others=is_open,
        loose_blobs=_loose_blobs(paths),
    )


def _loose_blobs(paths: StorePaths) -> tuple[Blob, ...] | None:
    try:
        loose = unreferenced(paths, older_than_s=_TAKEN_UP_S)
    except SessionStoreError:
        return None
    return tuple(one for one in loose if not one.is_retired)


def _layout(paths: StorePaths, found: Found) -> str:
    try:
        return detect_layout(paths)
    except SessionStoreError as error:
        found.cannot(paths.store_path, error)
        return "empty"


def _entries(
    store: Store, found: Found, others: Others
) -> tuple[str, dict[str, EntryFacts], list[Finding]]:
    """The layout, the sound entries, what is wrong with the others and with the store's shape."""
    paths = store.paths
    layout, entries, broken = _layout(paths, found), dict[str, EntryFacts](), list[Finding]()

    def look() -> Iterator[Scanned]:
        nonlocal layout
        for scanned in scan_settled(paths, store.max_entry_bytes):
            if scanned is None:  # the layout moved meanwhile
                layout = _layout(paths, found)
                entries.clear()
                broken.clear()
            elif scanned.problem is not None:
                broken.append(scanned.problem)
            elif scanned.entry is not None:
                facts = facts_of(scanned, paths, is_legacy=layout == "legacy", at_ms=found.at_ms)
                entries[facts.key] = facts
                others.add_related(scanned.entry)
        return iter(())  # nothing is kept for the end: the entries may be many and large

    shape = problems(paths, look)
    return layout, entries, [*shape, *broken]


def _find_odd_names(paths: StorePaths, entries: dict[str, EntryFacts], found: Found) -> None:
    """Where an older program named a file otherwise than its key would have it, say its name."""
    missing = [one for one in entries.values() if one.path not in found.files]
    if not missing:
        return
    folder = f"{paths.directory.name}/"
    spelt = {
        (key_from_name(name.removeprefix(folder)) or "").strip().lower(): name
        for name in found.files
        if name.startswith(folder)
    }
    for facts in missing:
        if path := spelt.get(facts.key.lower()):
            entries[facts.key] = replace(facts, path=path)


def _locks(
    paths: StorePaths,
    found: Found,
    files: dict[str, FileFacts],
    linker: Linker,
    entries: dict[str, EntryFacts],
) -> tuple[set[str], dict[str, FileFacts]]:
    """Sessions that somebody is at now, and the verdict on each lock file."""
    try:
        view = locks.view_locks(
            paths.sidecar, store_path=paths.store_path, transcripts=True, sweep=False
        )
    except SessionStoreError as error:
        found.cannot(paths.store_path.parent, error)
        return set(), files
    active: set[str] = set()
    for held in view.held:
        name = held.path.rpartition("/")[2]
        if held.scope in ("transcript", "legacy") and name in files:
            files[name] = replace(files[name], verdict=held.verdict)
        if held.verdict in _LIVE:
            active.update(_keys_at(held, name, linker))
    return active & entries.keys(), files


def _keys_at(held: HeldLock, name: str, linker: Linker) -> list[str]:
    if held.scope == "session" and held.key is not None:
        return [held.key]
    if held.scope == "transcript":
        return linker.keys_of.get(name.removesuffix(".lock"), [])
    return []
