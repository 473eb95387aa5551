"""The comparison itself: every form is streamed once, against what the earlier ones had.

Entries are compared as JSON values: the order of fields does not count, ``1`` equals ``1.0``. A
``sessionFile`` of the form ``sqlite:…`` is a marker that only the database's importer writes, so it
is left out on both sides (openclaw-format §9.3). Writers may go on meanwhile; a session that they
change between two forms shows as it was met.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..entries import Entry, NotAnEntryError, equal, etag, updated_at_ms
from ..errors import Finding, SessionStoreError
from ..files import DEFAULT_MAX_BYTES
from ..layout import detect_layout
from ..paths import StorePaths
from .forms import AnyForm, SqliteForm, failure, form_of
from .shapes import FORMS, Compared, Comparison, Form, FormName, Outcome

MARKER: Final = "sqlite:"
MAX_FIELDS: Final = 100
MAX_FINDINGS: Final = 1_000
_ABSENT: Final = object()


def compare_layouts(paths: StorePaths, *, max_entry_bytes: int = DEFAULT_MAX_BYTES) -> Comparison:
    """Compare every form of a store, session by session.

    Trouble with one form never raises: it is left out, with its ``problem``. Cost: one read of
    each; memory of ``sessions.json`` as it is, and half a kilobyte for each session.
    """
    began = time.monotonic()
    run = _Run(paths, max_entry_bytes)
    forms = tuple(run.take(name) for name in FORMS)
    rows = tuple(_row(key, run.seen[key], forms) for key in sorted(run.seen))
    return Comparison(forms, rows, tuple(run.findings), time.monotonic() - began)


@dataclass(slots=True)
class _Seen:
    """What is known of one session: its digest and time in each form, and fields that differ."""

    digests: dict[FormName, str] = field(default_factory=dict)
    times: dict[FormName, int | None] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    more: int = 0


class _Run:
    def __init__(self, paths: StorePaths, max_entry_bytes: int) -> None:
        self.paths = paths
        self.max_entry_bytes = max_entry_bytes
        self.seen: dict[str, _Seen] = {}
        self.findings: list[Finding] = []
        self._earlier: dict[FormName, AnyForm] = {}

    def take(self, name: FormName) -> Form:
        """Stream one form into what is known."""
        place = self.paths.directory if name == "directory" else self.paths.store_path
        form = Form(name, place, is_there=False)
        try:
            source = form_of(name, self.paths, self.max_entry_bytes)
            counts = detect_layout(self.paths) == name
            form = replace(form, path=source.path, is_there=source.is_there, counts=counts)
            if form.is_there:
                form = self._stream(source, form)
        except FileNotFoundError:
            return replace(form, is_there=False)
        except SessionStoreError as error:
            self._forget(name)
            return replace(form, is_there=True, problem=failure(error))
        if form.is_there:
            self._earlier[name] = source
        return form

    def _stream(self, source: AnyForm, form: Form) -> Form:
        sessions = damaged = size = 0
        for found in source.scan():
            if found.problem is not None and len(self.findings) < MAX_FINDINGS:
                self.findings.append(found.problem)
            if found.key is None:
                continue
            seen = self.seen.setdefault(found.key, _Seen())
            if found.entry is None:
                damaged += 1
                seen.digests[form.name] = ""
                continue
            sessions += 1
            size += len(found.data)
            self._note(found.key, found.entry, seen, form.name)
        version = source.store.version if isinstance(source, SqliteForm) else None
        return replace(form, sessions=sessions, damaged=damaged, bytes=size, version=version)

    def _note(self, key: str, entry: Entry, seen: _Seen, name: FormName) -> None:
        """Take in one entry; where an earlier form has another, the fields that differ."""
        entry = without_marker(entry)
        digest = etag(entry)
        for other, earlier in self._earlier.items():
            if seen.digests.get(other) not in (None, "", digest):
                self._name_fields(key, entry, seen, earlier)
        seen.digests[name] = digest
        seen.times[name] = updated_at_ms(entry)

    def _name_fields(self, key: str, entry: Entry, seen: _Seen, earlier: AnyForm) -> None:
        try:
            other = earlier.entry(key)
        except (FileNotFoundError, SessionStoreError, NotAnEntryError):
            return  # it went, or was damaged, since it was met; that they differ is known
        if other is None:
            return
        names = dict.fromkeys((*seen.fields, *differing(without_marker(other), entry)))
        kept = tuple(names)[:MAX_FIELDS]
        seen.more = max(seen.more, len(names) - len(kept))
        seen.fields = kept

    def _forget(self, name: FormName) -> None:
        """Take back what a form gave before it failed."""
        for key, seen in list(self.seen.items()):
            if seen.digests.pop(name, None) is not None and not seen.digests:
                del self.seen[key]


def without_marker(entry: Entry) -> Entry:
    """The entry without a ``sessionFile`` that is only the database's marker."""
    named = entry.get("sessionFile")
    if isinstance(named, str) and named.startswith(MARKER):
        return {name: value for name, value in entry.items() if name != "sessionFile"}
    return entry


def differing(before: Entry, after: Entry) -> Iterator[str]:
    """Top-level fields that are not the same in both, in the order of the first."""
    for name in dict.fromkeys((*before, *after)):
        old: Any = before.get(name, _ABSENT)
        new: Any = after.get(name, _ABSENT)
        if old is _ABSENT or new is _ABSENT or not equal(old, new):
            yield name


def _row(key: str, seen: _Seen, forms: tuple[Form, ...]) -> Compared:
    compared = [form.name for form in forms if form.is_compared]
    has = tuple(name for name in compared if name in seen.digests)
    damaged = tuple(name for name in has if not seen.digests[name])
    outcome = _outcome(seen, has, damaged, len(compared))
    differs = outcome == "differs"
    times = {name: seen.times.get(name) for name in has if name not in damaged}
    return Compared(
        key,
        outcome,
        has,
        damaged,
        seen.fields if differs else (),
        seen.more if differs else 0,
        times if len(set(times.values())) > 1 else None,
    )


def _outcome(
    seen: _Seen, has: tuple[FormName, ...], damaged: tuple[FormName, ...], compared: int
) -> Outcome:
    if damaged:
        return "damaged"
    if len({seen.digests[name] for name in has}) > 1:
        return "differs"
    if len(has) == 1:
        return _ONLY[has[0]]
    return "equal" if len(has) == compared else "partly"


_ONLY: Final[dict[FormName, Outcome]] = {
    "legacy": "only-legacy",
    "directory": "only-directory",
    "sqlite": "only-sqlite",
}
