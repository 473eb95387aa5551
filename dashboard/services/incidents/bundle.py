"""An incident in one file to send to somebody: a zip, made in memory, of what may leave.

Nothing in it is read from a file of the state directory but what writers reported of themselves; no
entry, no transcript. Every text passes :class:`.disguise.Disguise`. The order of its files, and of
what is in them, depends on the content alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.models import Incident
from dashboard.twins import iso

from ..history import look_at
from ..readers import Reader
from .about import README, config, versions
from .disguise import Disguise
from .meanwhile import marks_of
from .samples import (
    Reported,
    reported,
    sample_lines,
    session_lines,
    write_lines,
)
from .seeing import ms_of
from .told import told_events, told_incident, told_locks, told_store
from .verdicts import Seen, look

MOST_BYTES = 24 << 20
"""How much all files together may have before they are compressed."""
_MOST_STORES = 200
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is handed out. ``cut`` are files that had to be left out or shortened."""

    name: str
    content: bytes
    files: tuple[str, ...]
    cut: tuple[str, ...]


@dataclass(slots=True)
class _Parts:
    """Files of a bundle, with how many bytes are left for more."""

    left: int
    files: dict[str, bytes] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)

    def add(self, name: str, content: Any) -> None:
        """One JSON file; one that does not fit is left out."""
        self._keep(name, _json(content, indent=1))

    def add_lines(self, name: str, lines: Iterable[Any], most: int) -> None:
        """One file of JSON lines, cut at the last line that fits into ``most`` bytes."""
        kept, size = [], 0
        for line in lines:
            text = _json(line)
            if size + len(text) > min(most, self.left):
                self.cut.append(name)
                break
            kept.append(text)
            size += len(text)
        self._keep(name, b"".join(kept))

    def _keep(self, name: str, content: bytes) -> None:
        if len(content) > self.left:
            self.cut.append(name)
            return
        self.files[name] = content
        self.left -= len(content)


def make_bundle(
    incident: Incident, readers: Sequence[Reader], now_ms: int, *, shows_keys: bool = False
) -> Bundle:
    """Gather everything about an incident that may leave. Some seconds for a long one at most.

    A store that does not answer in time is named with the reason.
    """
    readers = sorted(readers, key=lambda reader: reader.id)[:_MOST_STORES]
    start_ms = ms_of(incident.started_at)
    end_ms = max(now_ms if incident.ended_at is None else ms_of(incident.ended_at), start_ms + 1)
    answers = look_at(readers, lambda history: reported(history, start_ms, end_ms))
    reports = {ident: told for ident, told in answers.items() if isinstance(told, Reported)}
    then, now = Seen.of(incident.seen), look(readers)
    disguise = Disguise(incident.pk, shows_keys=shows_keys)
    _know(disguise, incident, reports.values(), (then, now))
    names = _names(incident, readers)
    parts = _Parts(MOST_BYTES)
    parts.add("incident.json", told_incident(incident, names, end_ms, now_ms, disguise))
    parts.add("versions.json", versions())
    called = {reader.name: names[reader.id] for reader in readers}
    parts.add("config.json", config(called, disguise))
    parts.add("stores.json", [told_store(names, one, answers[one.id], disguise) for one in readers])
    parts.add("events.json", told_events(marks_of(incident, readers, end_ms), names, disguise))
    parts.add(
        "verdicts.json",
        {
            "when_marked": {
                "at": iso(ms_of(incident.marked_at)),
                **told_locks(then, names, disguise),
            },
            "when_exported": {"at": iso(now_ms), **told_locks(now, names, disguise)},
        },
    )
    share = MOST_BYTES // (2 * max(len(reports), 1))
    for ident, report in reports.items():
        _add_store(parts, names[ident], report, disguise, share)
    return _zipped(incident, parts, end_ms)


def _know(
    disguise: Disguise, incident: Incident, reports: Iterable[Reported], looks: Iterable[Seen]
) -> None:
    """Learn every machine, person and key first, so that no text before has one of them."""
    hosts = {process.host for report in reports for process in report.total.processes}
    hosts |= {write.host for report in reports for write in report.total.writes}
    for seen in looks:
        hosts |= {lock.host for lock in seen.locks}
        hosts |= {waiter.host for lock in seen.locks for waiter in lock.waiters}
    disguise.know_hosts(hosts)
    disguise.person(incident.actor)
    for note in incident.notes.all():
        disguise.person(note.actor)
    for report in reports:
        for session in report.total.sessions:
            disguise.session(session.key)


def _names(incident: Incident, readers: Sequence[Reader]) -> dict[str, str]:
    """What stores are called: by number, since a name of one can be that of a person."""
    idents = {reader.id for reader in readers}
    idents |= {store.store_id for store in incident.stores.all()}
    return {ident: f"store-{number}" for number, ident in enumerate(sorted(idents), start=1)}


def _add_store(parts: _Parts, name: str, report: Reported, disguise: Disguise, share: int) -> None:
    parts.add(f"{name}/sessions.json", session_lines(report, disguise))
    parts.add(f"{name}/writes.json", write_lines(report, disguise))
    parts.add_lines(f"{name}/samples.jsonl", sample_lines(report, disguise), share)


def _zipped(incident: Incident, parts: _Parts, end_ms: int) -> Bundle:
    listing = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in parts.files.items()
    }
    manifest = {"files": listing, "cut_or_left_out": parts.cut}
    files = {"README.txt": README.encode(), "manifest.json": _json(manifest, indent=1)}
    files |= parts.files
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    day = (iso(end_ms) or "").partition("T")[0]
    name = f"incident-{incident.pk}-{day}.zip"
    return Bundle(name, memory.getvalue(), tuple(files), tuple(parts.cut))


def _json(content: Any, *, indent: int | None = None) -> bytes:
    text = json.dumps(content, ensure_ascii=False, indent=indent, sort_keys=indent is None)
    return (text + "\n").encode("utf-8", "backslashreplace")
