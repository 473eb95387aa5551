"""What else may name a store's files: other stores in its folder, earlier incarnations, backups.

A transcript that one of these names is no orphan. Only ids are kept of what is read.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import files
from ..backup.places import agent_folder, default_root
from ..entries import Entry, NotAnEntryError, decode
from ..errors import CorruptStoreError, SessionStoreError, UnsafeFileError
from ..index.naming import printable
from ..legacyfile import read_legacy_file
from ..paths import StorePaths, agent_id_of_path, normalise_agent_id, store_paths
from .inventory_entries import scan_settled
from .inventory_found import Found
from .prompt_texts import blobs_of

_ARCHIVES = (".tar.gz", ".tar.zst")
_MOST_STORES = 32


@dataclass(slots=True)
class Others:
    """Session ids and prompt texts that something besides this store's entries names."""

    ids: set[str] = field(default_factory=set)
    blobs: set[str] = field(default_factory=set)

    def add_related(self, entry: Entry) -> None:
        """Ids that an entry names besides its own: its usage family and its checkpoints."""
        named = Others()
        family = entry.get("usageFamilySessionIds")
        if isinstance(family, list):
            named.ids.update(one for one in family if isinstance(one, str))
        points = entry.get("compactionCheckpoints")
        for point in points if isinstance(points, list) else ():
            if isinstance(point, dict):
                named._add_point(point)
        own = entry.get("sessionId")
        self.ids.update(one for one in named.ids if one != own)

    def _add_point(self, point: dict[str, Any]) -> None:
        for place in (point, point.get("preCompaction"), point.get("postCompaction")):
            if isinstance(place, dict):
                self._add_text(place.get("sessionId"))
                named = place.get("sessionFile")
                if isinstance(named, str):
                    self._add_text(named.rpartition("/")[2].removesuffix(".jsonl"))

    def _add_text(self, value: Any) -> None:
        if isinstance(value, str) and value:
            self.ids.add(value)

    def add_entry(self, entry: Entry) -> None:
        """All that an entry of another store names."""
        self._add_text(entry.get("sessionId"))
        self.blobs.update(blobs_of(entry))
        self.add_related(entry)
        named = entry.get("sessionFile")
        if isinstance(named, str):
            self._add_text(named.rpartition("/")[2].removesuffix(".jsonl"))


def look(paths: StorePaths, found: Found, others: Others, layout: str, max_bytes: int) -> None:
    """Read what else names files of this folder. Never raises: what fails is in ``found``."""
    _incarnations(paths, found, others)
    for other in _stores(paths, found, layout):
        try:
            for scanned in scan_settled(other, max_bytes):
                if scanned is not None and scanned.entry is not None:
                    others.add_entry(scanned.entry)
        except CorruptStoreError:
            continue  # some other program's file
        except SessionStoreError as error:
            found.cannot(other.store_path, error)
    if layout == "directory" and "store-file" in {one.kind for one in found.files.values()}:
        _beside(paths, found, others)


def _stores(paths: StorePaths, found: Found, layout: str) -> Iterator[StorePaths]:
    folder = paths.store_path.parent
    stems = {
        name.rpartition(".")[0]
        for name, named in found.named.items()
        if named.kind == "other" and name.endswith((".json", ".d"))
    }
    for stem in sorted(stems)[:_MOST_STORES]:
        yield store_paths(folder / f"{stem}.json")


def _beside(paths: StorePaths, found: Found, others: Others) -> None:
    """The ``sessions.json`` beside a directory: programs that know only it name files too."""
    try:
        for scanned in read_legacy_file(str(paths.store_path)).scan():
            if scanned.entry is not None:
                others.add_entry(scanned.entry)
    except (CorruptStoreError, FileNotFoundError):
        return  # the store's own problems tell of it
    except SessionStoreError as error:
        found.cannot(paths.store_path, error)


def _incarnations(paths: StorePaths, found: Found, others: Others) -> None:
    try:
        fd = files.open_below(paths.sidecar, "history")
    except FileNotFoundError:
        return
    except SessionStoreError as error:
        found.cannot(paths.sidecar / "history", error)
        return
    try:
        for name in files.list_names(fd):
            try:
                rows = decode(files.read_file(name, dir_fd=fd)).get("incarnations")
            except (FileNotFoundError, NotAnEntryError, UnsafeFileError):
                continue  # the session's own page tells of a damaged history
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict):
                    others.add_entry(row)
    except (FileNotFoundError, SessionStoreError) as error:
        if isinstance(error, SessionStoreError):
            found.cannot(paths.sidecar / "history", error)
    finally:
        files.close_directory(fd)


def backups_of(paths: StorePaths, found: Found) -> tuple[int, int]:
    """How many backups the usual place has of this agent, and their bytes. Opens none."""
    folder = agent_folder(default_root(paths), paths.agent_id)
    count = total = 0
    try:
        fd = files.open_directory(folder)
    except FileNotFoundError:
        return 0, 0
    except SessionStoreError as error:
        found.cannot(folder, error)
        return 0, 0
    try:
        for name in files.list_names(fd):
            status = files.status_of(name, dir_fd=fd) if name.endswith(_ARCHIVES) else None
            if status is not None and not name.startswith("."):
                count += 1
                total += status.st_size
    except (FileNotFoundError, SessionStoreError) as error:
        if isinstance(error, SessionStoreError):
            found.cannot(folder, error)
    finally:
        files.close_directory(fd)
    return count, total


def is_open(paths: StorePaths, found: Found) -> bool:
    """Whether other users get as far as the store's folder, by the modes from the state on."""
    folder = paths.store_path.parent
    is_usual = agent_id_of_path(str(paths.store_path)) is not None
    for place in (folder, *(folder.parents[:3] if is_usual else ())):
        try:
            status = files.status_of(place)
        except SessionStoreError as error:
            found.cannot(place, error)
            continue
        if status is not None and stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o011:
            return False
    return True


def colliding_agents(paths: StorePaths, found: Found) -> tuple[tuple[str, ...], ...]:
    """Folders of agents whose names mean this store's agent, where there are several."""
    if agent_id_of_path(str(paths.store_path)) is None:
        return ()
    agents = paths.store_path.parents[2]
    try:
        names = files.list_names(agents)
    except FileNotFoundError:
        return ()
    except SessionStoreError as error:
        found.cannot(agents, error)
        return ()
    mine = normalise_agent_id(paths.store_path.parents[1].name)
    by_id: defaultdict[str | None, list[str]] = defaultdict(list)
    for name in names:
        by_id[normalise_agent_id(name)].append(printable(name))
    same = tuple(sorted(by_id[mine]))
    return (same,) if mine is not None and len(same) > 1 else ()
