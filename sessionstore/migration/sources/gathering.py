"""What the readers of all forms hand their finds to: one winner per folded key.

Which of two wins: the newest finite numeric ``updatedAt`` (anything else counts as 0), then the
newer file, then the greater etag, then the greater bytes and names, so that the order of reading
never counts (layout-variants §7.3, requirements E2 and E3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...entries import decode, etag
from ...entryfiles import wrap
from ...errors import Finding, InvalidEntryError, InvalidKeyError, Severity
from ...keys import fold_checked, is_ordinary
from ...legacyfile import BOM
from ...paths import StorePaths
from ..shapes import PlannedSession, Source
from .collected import Row
from .judging import judge

_LONG: Final = 200
_SPACE: Final = b" \t\r\n"


@dataclass(slots=True)
class Gathering:
    """Rows, findings and refusals so far; :attr:`rows` holds the winners at any moment."""

    paths: StorePaths
    max_entry_bytes: int
    rows: dict[str, Row] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _losers: list[Row] = field(default_factory=list)
    _blocked: list[PlannedSession] = field(default_factory=list)

    def has_store_file(self) -> bool:
        """Whether ``sessions.json`` is among the sources so far."""
        return any(source.name == self.paths.store_path.name for source in self.sources)

    def offer(self, spelt: str, data: bytes, *, source: str, mtime_ns: int, path: str) -> bool:
        """Take one value of a source; true when it is an entry that can be kept.

        ``path`` is relative to the store's folder and only for messages.
        """
        data = data.removeprefix(BOM).strip(_SPACE)
        key = self._key(spelt, data, source, path)
        if key is None:
            return False
        judged = judge(data, self.max_entry_bytes)
        if judged.entry is None and not judged.is_object:
            self.report(
                "not-an-entry",
                f"{shown(spelt)} {judged.reason}",
                key=key,
                path=path,
                hint="it is not taken over and stays in what is kept of the source",
            )
            return False
        reason = judged.reason or self._too_large_wrapped(key, data)
        if reason:
            self.block(key, reason, source=source, size=len(data), spelt=spelt)
            return False
        spelling = key if spelt == key else spelt  # one text in memory, not two
        self.add(Row(key, data, judged.updated_at_ms, source, spelling, mtime_ns))
        return True

    def add(self, row: Row) -> None:
        """Let a sound row compete for its key."""
        other = self.rows.get(row.key)
        if other is None:
            self.rows[row.key] = row
        elif _beats(row, other):
            self.rows[row.key] = row
            self._losers.append(other)
        else:
            self._losers.append(row)

    def block(self, key: str, reason: str, *, source: str, size: int, spelt: str = "") -> None:
        """Note a session that cannot be taken over, and why."""
        self._blocked.append(
            PlannedSession(
                key,
                "blocked",
                source,
                size,
                reason=reason,
                spelt=shown(spelt) if spelt and spelt != key else "",
            )
        )

    def report(
        self,
        rule: str,
        message: str,
        *,
        path: str | None,
        key: str | None = None,
        hint: str = "",
        severity: Severity = "warning",
    ) -> None:
        """Note something that is no session, or that an operator should know."""
        path = None if path is None else printable(path)
        self.findings.append(Finding(rule, severity, key, path, message, hint))

    def _key(self, spelt: str, data: bytes, source: str, path: str) -> str | None:
        try:
            return fold_checked(spelt)
        except InvalidKeyError as error:
            if len(spelt) > _LONG:
                self.block(shown(spelt), error.message, source=source, size=len(data))
            else:
                self.report("invalid-key", error.message, path=path, hint=error.hint)
            return None

    def _too_large_wrapped(self, key: str, data: bytes) -> str:
        if len(data) < self.max_entry_bytes // 4 or is_ordinary(key):
            return ""
        try:
            wrap(key, data, max_bytes=self.max_entry_bytes)
        except InvalidEntryError as error:
            return error.message
        return ""

    def settle(self) -> tuple[Finding, ...]:
        """All findings, a loser's naming the winner, in an order of their own."""
        lost = [_lost(loser, self.rows[loser.key]) for loser in self._losers]
        twins = [
            _damaged_twin(one, self.rows[one.key]) for one in self._blocked if one.key in self.rows
        ]
        return tuple(
            sorted(
                [*self.findings, *lost, *twins],
                key=lambda one: (one.path or "", one.rule, one.key or "", one.message),
            )
        )

    def blocked(self) -> tuple[PlannedSession, ...]:
        """What cannot be taken over, by key. A key that another source has soundly is none."""
        blocked = {one for one in self._blocked if one.key not in self.rows}
        return tuple(sorted(blocked, key=lambda one: (one.key, one.source, one.reason)))


def _beats(one: Row, other: Row) -> bool:
    if one.updated_at_ms != other.updated_at_ms:
        return one.updated_at_ms > other.updated_at_ms
    if one.mtime_ns != other.mtime_ns:
        return one.mtime_ns > other.mtime_ns
    return _tie(one) > _tie(other)


def _tie(row: Row) -> tuple[str, bytes, str, str]:
    return (etag(decode(row.data)), row.data, row.source, row.spelt)


def _lost(loser: Row, winner: Row) -> Finding:
    same = loser.data == winner.data or etag(decode(loser.data)) == etag(decode(winner.data))
    how = "holds the same" if same else "is the newer and is taken"
    return Finding(
        "duplicate-key",
        "info" if same else "warning",
        loser.key,
        loser.source,
        f"{shown(loser.spelt)} of {loser.source} is {shown(winner.key)} as well: "
        f"{shown(winner.spelt)} of {winner.source} {how}",
        "the older one stays in what is kept of the source" if not same else "",
    )


def _damaged_twin(one: PlannedSession, winner: Row) -> Finding:
    return Finding(
        "damaged-entry",
        "warning",
        one.key,
        one.source,
        f"{shown(one.key)} of {one.source} {one.reason}; that of {winner.source} is taken",
        "the damaged one stays in what is kept of the source",
    )


def printable(name: str) -> str:
    """A file's name with bytes that are no text escaped, so that it can be written anywhere."""
    return name.encode("utf-8", "backslashreplace").decode()


def shown(text: str) -> str:
    """A name from a hostile source, as it can be shown anywhere: quoted, escaped, short."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")
