"""Rows of a whole-file store: the file is parsed again when its ``stat`` moved."""

from __future__ import annotations

import time
from collections.abc import Mapping

from .. import files
from ..entries import NotAnEntryError, decode, etag
from ..errors import Finding, SessionStoreError, Severity
from ..legacyfile import LegacyFile, read_legacy_file
from ..paths import StorePaths
from .directory_source import finding_of
from .fields import parse
from .naming import folded
from .reading import Rows
from .rows import NO_KEY_PREFIX, Row
from .table import Delta
from .texts import clean
from .watching import stamp_of

_HINT = "it is kept as it is; store an entry in its place, or remove it by hand"


class LegacySource:
    """One ``sessions.json``. Row ids are its keys; spellings that do not fold to themselves
    begin with ``NO_KEY_PREFIX``."""

    layout = "legacy"

    def __init__(self, paths: StorePaths, rows: Rows) -> None:
        self._path = paths.store_path
        self._rows = rows
        self._stamp = -1

    def has_moved(self) -> bool:
        """One ``stat``. True also while the file is too young for its times to be trusted."""
        looked_ns = time.time_ns()
        try:
            status = files.status_of(self._path)
        except SessionStoreError:
            status = None
        stamp = 0 if status is None else stamp_of(status, looked_ns)
        moved = not stamp or stamp != self._stamp
        self._stamp = stamp
        return moved

    def scan(self, known: Mapping[str, Row]) -> Delta:
        """Read the file; rows of unchanged bytes are kept. A damaged file has no rows."""
        delta = Delta(findings=[])
        try:
            file = read_legacy_file(str(self._path))
        except FileNotFoundError:
            file = None
        except SessionStoreError as error:
            file = None
            delta.findings = [finding_of(error, str(self._path))]
        raw = {} if file is None else file.rows
        if file is not None:
            delta.tie = lambda row: _tie(file, row)
        present = set()
        for spelt, value in raw.items():
            row_id = self._id(spelt)
            present.add(row_id)
            stamp = hash(value) or 1
            old = known.get(row_id)
            if old is None or old.stamp != stamp:
                delta.rows[row_id] = self._row(row_id, spelt, value, stamp)
        delta.rows.update(dict.fromkeys(known.keys() - present))
        return delta

    def _id(self, spelt: str) -> str:
        if folded(spelt) == spelt:
            return spelt
        return f"{NO_KEY_PREFIX}{self._path.name}: {_shown(spelt)}"

    def _row(self, row_id: str, spelt: str, value: bytes, stamp: int) -> Row:
        key = folded(spelt)
        place = self._path.name
        if key is None:
            problem = self._finding("invalid-key", "warning", None, spelt, "is no session key")
            return self._rows.problem_row(
                row_id, problem, size=len(value), place=place, stamp=stamp, flags=("no-key",)
            )
        try:
            fields = parse(value)
        except NotAnEntryError as error:
            problem = self._finding("damaged-entry", "error", key, spelt, str(error))
            return self._rows.problem_row(key, problem, size=len(value), place=place, stamp=stamp)
        return self._rows.row(
            key, fields, size=len(value), place=place, stamp=stamp, awkward=row_id != key
        )

    def _finding(
        self, rule: str, severity: Severity, key: str | None, spelt: str, why: str
    ) -> Finding:
        shown = ascii(spelt[:80])
        return Finding(rule, severity, key, str(self._path), f"the row {shown} {why}", _HINT)


def _shown(spelt: str) -> str:
    """A spelling that is unique, bounded and can be encoded."""
    text = ascii(spelt)
    return text if len(text) <= 300 else f"{clean(text, 200)} ({hash(spelt) & 0xFFFFFFFF:08x})"


def _tie(file: LegacyFile, row: Row) -> tuple[str, str]:
    for spelt in file.claims(row.key):
        raw = file.rows[spelt]
        if row.stamp == (hash(raw) or 1):
            try:
                return etag(decode(raw)), spelt
            except NotAnEntryError:
                return "", spelt
    return "", row.key
