"""Keeping what an operator's change replaces: one file per version, written before the change.

A process killed between the two leaves a version that equals what is there, which ``versions``
leaves out; it never leaves a change without its version. The files: ``versionfiles``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import entries
from .changes import now_ms
from .editing import ABSENT, edits_between
from .entries import decode, encode
from .errors import SessionStoreError
from .files import io_error
from .layout import DAMAGED, REMOVE, New, Transform
from .locks.staging import Staging
from .paths import StorePaths
from .versionfiles import (
    KEPT_FOR_S,
    KEPT_PER_SESSION,
    Version,
    folder_of,
    opened_folder,
    prune,
    read_version,
    read_versions,
    remove_version,
    sweep,
)

__all__ = [
    "KEPT_FOR_S",
    "KEPT_PER_SESSION",
    "Keeper",
    "Version",
    "read_version",
    "read_versions",
    "sweep",
]


@dataclass(slots=True)
class Keeper:
    """Says why changes are made, and afterwards which versions were kept of what they replaced.

    One per operator's action: hand it to ``Store.keeping``. ``note`` goes into each version.
    """

    reason: str = ""
    by: str = ""
    action: str = "edit"
    note: Mapping[str, Any] = field(default_factory=dict)
    keep_count: int = KEPT_PER_SESSION
    keep_for_s: float = KEPT_FOR_S
    ids: list[str] = field(default_factory=list)

    def around(
        self, paths: StorePaths, staging: Staging, key: str, transform: Transform
    ) -> tuple[Transform, Callable[[], None]]:
        """The transform that keeps what it replaces, and how to forget that if it fails.

        The transform runs under the key's lock. It may run twice (a directory was replaced
        under the call): then only the last version stays.
        """
        mine: list[str] = []

        def forget() -> None:
            while mine:
                self.ids.remove(mine[-1])
                remove_version(paths, mine.pop())

        def keeping(old: bytes | None) -> New:
            new = transform(old)
            # What cannot be read goes to quarantine as it is: there is no entry to keep.
            if new is not None and old is not DAMAGED:
                forget()
                mine.append(self._keep(paths, staging, key, old, new))
                self.ids.append(mine[-1])
            return new

        return keeping, forget

    def _keep(
        self, paths: StorePaths, staging: Staging, key: str, old: bytes | None, new: New
    ) -> str:
        before = None if old is None else entries.normalise(decode(old))
        after = decode(new) if isinstance(new, bytes) else None
        edits = edits_between(before, after)
        at_ms = now_ms()
        body = {
            "sessionKey": key,
            "at": at_ms,
            "reason": self.reason,
            "by": self.by,
            "action": self.action,
            "entry": before,
            "removed": new is REMOVE,
            "changed": [edit.name for edit in edits],
            "written": {e.name: e.yours for e in edits if e.yours is not ABSENT},
            "note": dict(self.note),
        }
        name = f"{at_ms}-{secrets.token_hex(4)}.json"
        folder = folder_of(paths, key)
        with opened_folder(folder) as fd:
            prune(fd, keep_count=self.keep_count - 1, older_than_ms=at_ms - self._age_ms())
            try:
                staging.put(encode(body), name, to_fd=fd, durability="strict", created=True)
            except OSError as error:
                if isinstance(error, SessionStoreError):
                    raise
                raise io_error("write", folder / name, error) from error
        return f"{folder.name}-{name.removesuffix('.json')}"

    def _age_ms(self) -> int:
        return int(self.keep_for_s * 1000)
