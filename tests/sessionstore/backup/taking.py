"""What the tests of backups share: taking one, and looking at it with other tools than our own."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sessionstore import Store
from sessionstore.backup import Backup, create_backup, default_root, list_backups, open_archive

Entry = dict[str, Any]


def take(store: Store, **options: Any) -> Backup:
    """A backup in the default place."""
    options.setdefault("reason", "test")
    return create_backup(store, **options)


def unpacked(backup: Backup) -> dict[str, bytes]:
    """Members by name, read with the standard library's tar."""
    with tarfile.open(backup.path) as tar:
        members = tar.getmembers()
        assert all(one.isreg() and one.mode == 0o600 and one.mtime == 0 for one in members)
        return {one.name: (tar.extractfile(one) or open(one.name, "rb")).read() for one in members}


def entries_of(backup: Backup) -> dict[str, Entry]:
    """Entries by key, read with our reader."""
    with open_archive(backup) as archive:
        read = list(archive.entries())
    assert [one.problem for one in read if one.data is None] == []
    return {one.session.key: json.loads(one.data or b"") for one in read}


def manifest_of(backup: Backup) -> Mapping[str, Any]:
    """The manifest as plain JSON."""
    manifest: Mapping[str, Any] = json.loads(unpacked(backup)["manifest.json"])
    return manifest


def listed(store: Store) -> list[Backup]:
    """The list of the store's backups."""
    return list_backups(default_root(store.paths))


def leftovers(store: Store) -> list[Path]:
    """What only a run that is on, or that died, has on disk."""
    root = default_root(store.paths)
    found = list((store.paths.sidecar / "runs").glob("backup-*"))
    return found + [path for path in root.glob("*/.*") if path.exists()]
