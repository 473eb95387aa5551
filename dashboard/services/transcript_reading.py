"""Reading a conversation out: by whom it may be, written to the audit before a word of it is shown.

What is written down is who, which session, which file and which part of it; never the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.roles import includes
from sessionstore.paths import StorePaths
from sessionstore.transcripts import Page, read_page

from .fleet import fleet, page_budget_s
from .problems import Problem, ProblemError
from .readers import Reader
from .session import key_behind
from .transcript_files import CURRENT, path_of
from .transcript_lines import ShownLine, shown_lines
from .transcript_looks import gone
from .tree import shown

ACTION = "transcript.read"
COUNT = 50
"""Lines of a page."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part: lines that end by byte ``before`` or begin at ``after``; else the last ones.

    ``file`` is ``current`` or the id of another file of the session. ``all_lines``: also what the
    active branch left behind.
    """

    before: int | None = None
    after: int | None = None
    file: str = CURRENT
    all_lines: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """One page of it, masked. ``event`` is the number in the audit.

    ``branch``: tree, linear, too-large or all, which is what is shown; ``left_behind`` is how many
    lines of the file are on no active branch.
    """

    file_name: str
    lines: tuple[ShownLine, ...]
    start: int
    end: int
    size_bytes: int
    older: int | None
    newer: int | None
    branch: str
    total_lines: int
    left_behind: int
    forks: int
    is_broken: bool
    event: int


def may_read(role: str | None) -> bool:
    """Tell whether this console lets a person of this role read conversations."""
    if settings.TRANSCRIPTS == "off":
        return False
    return includes(role, settings.TRANSCRIPTS)


def read_conversation(
    actor: Actor, store_id: str, ref: str, wanted: Wanted, *, reason: str = ""
) -> Conversation:
    """Read one page of a transcript out, after this was written to the audit.

    Raises:
        ProblemError: nothing was read out: not allowed, no such session or file, or it cannot be
            read.
    """
    reader, key = fleet().reader(store_id), key_behind(store_id, ref)
    asked = _Asked(actor, reader, key, wanted, reason)
    if not may_read(actor.role):
        refusal = _refusal()
        asked.note("refused", why=refusal.detail)
        raise ProblemError(refusal)
    intent = asked.note("started")
    raw = reader.read(lambda paths: _read(paths, key, wanted), budget_s=page_budget_s())
    if raw is None or isinstance(raw, Problem):
        problem = raw or gone()
        asked.note("failed", intent=intent, why=problem.detail)
        raise ProblemError(problem)
    page, name = raw
    part = {"from_byte": page.start, "to_byte": page.end, "lines": len(page.lines), "file": name}
    event = asked.note("done", intent=intent, **part)
    return _conversation(page, name, event)


@dataclass(frozen=True, slots=True)
class _Asked:
    actor: Actor
    reader: Reader
    key: str
    wanted: Wanted
    reason: str

    def note(self, outcome: str, **more: Any) -> int:
        """Write down who asks for which part; gives the number of the event."""
        about = {
            "store": self.reader.id,
            "agent": self.reader.agent,
            "key": shown(self.key),
            "file": self.wanted.file,
            "before": self.wanted.before,
            "after": self.wanted.after,
            "all_lines": self.wanted.all_lines,
            "via": self.actor.via,
        }
        event = audit.record(
            None,
            by=self.actor,
            action=ACTION,
            target=f"{self.reader.name}: {shown(self.key)}",
            outcome=outcome,
            reason=self.reason,
            details=about | more,
        )
        return event.sequence


def _refusal() -> Problem:
    if settings.TRANSCRIPTS == "off":
        detail = _("Reading conversations is switched off on this console.")
    else:
        detail = _("On this console, only admins read conversations.")
    hint = _("SESSIONSTORE_TRANSCRIPTS says who may; whoever runs this console can change it.")
    return Problem(_("Nothing was read out"), detail, hint, 403)


def _read(paths: StorePaths, key: str, wanted: Wanted) -> tuple[Page, str] | None:
    """Visit the disk. Runs in the reader's thread."""
    place = path_of(paths, key, wanted.file)
    if place is None:
        return None
    page = read_page(
        paths,
        place,
        before=wanted.before,
        after=wanted.after,
        count=COUNT,
        active_branch=not wanted.all_lines,
    )
    return page, shown(place.name)[:400]


def _conversation(page: Page, name: str, event: int) -> Conversation:
    branch = page.branch
    is_tree = branch is not None and branch.state == "tree"
    return Conversation(
        file_name=name,
        lines=shown_lines(page.lines, names_parents=not is_tree),
        start=page.start,
        end=page.end,
        size_bytes=page.size_bytes,
        older=page.older,
        newer=page.newer,
        branch="all" if branch is None else branch.state,
        total_lines=branch.lines if branch is not None else 0,
        left_behind=branch.lines - len(branch.spans) if branch is not None and is_tree else 0,
        forks=branch.forks if branch is not None else 0,
        is_broken=branch is not None and branch.is_broken,
        event=event,
    )
