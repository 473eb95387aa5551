"""Writes stores as the older programs did, from layout-variants.md alone.

Nothing of ``sessionstore`` is used, so a mistake in its readers cannot hide itself. L0 is one
``sessions.json``; L1 PR 4664's ``.meta.json``; L2 PR 19528's folders; L3 42186's files; L4 51946's
``entries/``, in the early (a) and the final (b) form.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Entry = dict[str, Any]
Entries = Mapping[str, Any]

KEY, OTHER, THIRD = "agent:main:main", "agent:main:other", "agent:main:third"
NOW = 1_790_000_000_000
MS = 1_789_999_000_000


def entry(session_id: str = "s-1", updated: Any = NOW, **fields: Any) -> Entry:
    """A small entry."""
    return {"sessionId": session_id, "updatedAt": updated, **fields}


def dump(value: object) -> bytes:
    """JSON as those programs wrote it: indent 2, raw UTF-8, no line end."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass")


def put(path: Path, data: bytes, mode: int = 0o600, *, at_ns: int | None = None) -> Path:
    """Write one file, with folders of 0755 where there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    if at_ns is not None:
        os.utime(path, ns=(at_ns, at_ns))
    return path


# --- L0 -----------------------------------------------------------------------------------------


def write_l0(home: Path, entries: Entries, *, name: str = "sessions.json") -> Path:
    """One object, strict JSON."""
    return put(home / name, dump(dict(entries)))


# --- L1 -----------------------------------------------------------------------------------------


def write_l1(home: Path, session_id: str, one: Entry) -> Path:
    """``<sessionId>.meta.json`` beside the transcripts, of mode 0644."""
    return put(home / f"{session_id}.meta.json", dump(one), 0o644)


# --- L2 -----------------------------------------------------------------------------------------


def l2_folder(key: str) -> str:
    """Only ``:`` is replaced."""
    return key.replace(":", "--")


def write_l2(directory: Path, entries: Entries) -> None:
    """A folder per key with a bare ``meta.json``; slashes in a key make folders in folders."""
    directory.mkdir(parents=True, exist_ok=True)
    for key, one in entries.items():
        put(Path(os.path.normpath(directory / l2_folder(key))) / "meta.json", dump(one))


def l2_backup(home: Path, entries: Entries, ms: int = MS) -> Path:
    """What its migration renamed ``sessions.json`` to."""
    return write_l0(home, entries, name=f"sessions.json.pre-directory-migration.{ms}")


# --- L3 -----------------------------------------------------------------------------------------


def l3_name(key: str) -> str:
    """``%``, ``/``, ``\\`` and ``:`` are escaped, in this order; everything else is raw."""
    for char, code in (("%", "%25"), ("/", "%2F"), ("\\", "%5C"), (":", "%3A")):
        key = key.replace(char, code)
    return f"{key}.json"


def write_l3(directory: Path, entries: Entries) -> None:
    """A bare file per key."""
    directory.mkdir(parents=True, exist_ok=True)
    for key, one in entries.items():
        put(directory / l3_name(key), dump(one))


def l3_temporary(directory: Path, key: str) -> Path:
    """What a write killed half-way leaves (window W9)."""
    return put(directory / f"{l3_name(key)}.{os.getpid()}.{uuid.UUID(int=7)}.tmp", b'{"half')


def l3_migrating(home: Path, entries: Entries) -> Path:
    """The staging directory of its migration."""
    write_l3(home / "sessions.d.migrating", entries)
    return home / "sessions.d.migrating"


# --- L4 -----------------------------------------------------------------------------------------


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def l4_name(key: str, form: Literal["a", "b"] = "b") -> str:
    """Inline up to 120 bytes of the trimmed key, above that a digest (L4b only)."""
    data = key.strip().encode()
    if len(data) > 120 and form == "b":
        return f"session-hash-{_b64(hashlib.sha256(data).digest())}.json"
    return f"session-{_b64(data)}.json"


def l4_state(version: int = 1) -> Entry:
    """The content of ``state.json``."""
    return {
        "kind": "openclaw-session-store-directory",
        "layoutVersion": 1,
        "version": version,
        "updatedAt": NOW,
    }


def write_l4(directory: Path, entries: Entries, form: Literal["a", "b"] = "b") -> None:
    """``state.json`` and ``entries/``; L4a bare, L4b with the key inside."""
    inner = directory / "entries"
    inner.mkdir(parents=True, exist_ok=True, mode=0o700)
    for key, one in entries.items():
        content = one if form == "a" else {"sessionKey": key.strip(), "entry": one}
        put(inner / l4_name(key, form), dump(content))
    put(directory / "state.json", dump(l4_state()))


def l4_orphan(home: Path, ms: int = MS) -> Path:
    """Move ``sessions.d`` away as its migration does with any directory that it does not know."""
    return (home / "sessions.d").rename(home / f"sessions.d.orphan.{ms}")


def l4_staging(home: Path, entries: Entries, ms: int = MS) -> Path:
    """Its staging directory, before ``state.json`` is written."""
    path = home / f"sessions.d.staging-4711-{ms}"
    write_l4(path, entries)
    (path / "state.json").unlink()
    return path


def tree(root: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Everything below a folder: inode, mode, time and content by relative path."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if path.is_symlink():
            content = os.readlink(path).encode()
        found[str(path.relative_to(root))] = (
            status.st_ino,
            status.st_mode,
            status.st_mtime_ns,
            content,
        )
    return found
