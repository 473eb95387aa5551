"""One row of the session list, finished for showing: masked, named, with its proof and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sessionstore.entries import redact
from sessionstore.index import Row
from sessionstore.locks import HeldLock

from .readers import Reader
from .runs import RunState, run_state
from .thresholds import Limits

FLAG_WORDS = {
    "no-session-id": (lazy("no session id"), "watch"),
    "no-updated-at": (lazy("no time"), "watch"),
    "archived": (lazy("archived"), "none"),
    "pinned": (lazy("pinned"), "none"),
    "aborted": (lazy("aborted"), "watch"),
    "failover": (lazy("model fell back"), "watch"),
    "large": (lazy("over 64 KiB"), "watch"),
    "awkward-name": (lazy("odd file name"), "none"),
    "no-key": (lazy("no key"), "bad"),
}


@dataclass(frozen=True, slots=True)
class Note:
    """A short word on a row, and the state that colours it."""

    word: str
    state: str = "none"


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as the list, its JSON and its CSV show it. All texts are masked."""

    id: str
    store_id: str
    ref: str
    key: str
    title: str
    agent: str
    kind: str
    machine: bool
    channel: str
    status: str
    run: RunState | None
    updated_at_ms: int | None
    size_bytes: int
    model: str
    total_tokens: int | None
    context_tokens: int | None
    session_id: str
    overrides: tuple[str, ...]
    notes: tuple[Note, ...]
    flags: tuple[str, ...]
    problem: str
    file_name: str
    gone_at_ms: int | None = None

    @property
    def subtitle(self) -> str:
        """The readable key, where it says more than the title."""
        shown = readable(self.key)
        return "" if shown == self.title else shown

    @property
    def override_origin(self) -> str:
        """Who pinned the model: "user", "auto" (a failover left it), or "" when it is not."""
        if not {"model", "provider"}.intersection(self.overrides):
            return ""
        return "auto" if "failover" in self.flags else "user"

    @property
    def context_percent(self) -> int | None:
        """How much of the model's context is full."""
        if self.total_tokens is None or not self.context_tokens:
            return None
        return round(100 * self.total_tokens / self.context_tokens)


def session_row(
    reader: Reader,
    row: Row,
    *,
    lock: HeldLock | None = None,
    now_ms: int,
    limits: Mapping[str, Limits] | None = None,
) -> SessionRow:
    """Finish one row of a store's index. ``limits`` spare a query for each held lock."""
    ref = reader.refs.of(row.key)
    key = str(redact(row.key))
    return SessionRow(
        id=f"{reader.id}-{ref}",
        store_id=reader.id,
        ref=ref,
        key=key,
        title=str(redact(row.name)) or readable(key),
        agent=str(redact(row.agent_id)) if row.agent_id else reader.name,
        kind=row.kind,
        machine=row.machine,
        channel=row.channel,
        status=row.status,
        run=run_state(row.status, row.updated_at_ms, lock, now_ms=now_ms, limits=limits),
        updated_at_ms=row.updated_at_ms,
        size_bytes=row.size_bytes,
        model=str(redact(row.model)),
        total_tokens=row.total_tokens,
        context_tokens=row.context_tokens,
        session_id=str(redact(row.session_id or "")),
        overrides=row.overrides,
        notes=tuple(_note(flag) for flag in row.flags),
        flags=row.flags,
        problem="" if row.problem is None else _told(reader, row.problem.message),
        file_name=row.file_name if key == row.key and row.place is None else redact(row.file_name),
    )


def gone_row(store_id: str, ref: str, key: str | None, at_ms: int) -> SessionRow:
    """What stays of a row whose session went away while the list was open."""
    shown = str(redact(key)) if key else ""
    return SessionRow(
        id=f"{store_id}-{ref}",
        store_id=store_id,
        ref=ref,
        key=shown,
        title=readable(shown) or _("a session"),
        agent="",
        kind="",
        machine=False,
        channel="",
        status="",
        run=None,
        updated_at_ms=None,
        size_bytes=0,
        model="",
        total_tokens=None,
        context_tokens=None,
        session_id="",
        overrides=(),
        notes=(),
        flags=(),
        problem="",
        file_name="",
        gone_at_ms=at_ms,
    )


def readable(key: str) -> str:
    """A key without the part that every key of the agent begins with."""
    if key.startswith("agent:"):
        rest = key.split(":", 2)[2:]
        return rest[0] if rest and rest[0] else key
    return key


def _told(reader: Reader, message: str) -> str:
    """What is wrong, without the folder, which is the same for every row of the store."""
    return str(redact(message.replace(f"{reader.paths.directory}/", "")))


def _note(flag: str) -> Note:
    word, state = FLAG_WORDS.get(flag, (flag, "none"))
    return Note(str(word), state)
