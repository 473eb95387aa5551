"""One store in each of its forms: what is the same, what differs, what only one of them has."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from sessionstore.comparing import Compared, Comparison, Form
from sessionstore.errors import Finding

from .findings import masked_finding
from .fleet import below_state, fleet, page_budget_s
from .kept_layouts import compared_now
from .problems import Problem
from .readers import Reader
from .refs import digest
from .rows import readable
from .tree import shown

PER_PAGE = 50
_MOST_FIELDS = 12
_MOST_FINDINGS = 20

FORM_WORDS = {
    "legacy": lazy("sessions.json"),
    "directory": lazy("sessions.d"),
    "sqlite": lazy("OpenClaw's database"),
}
OUTCOME_WORDS = {
    "differs": (lazy("differs"), "watch"),
    "damaged": (lazy("cannot be read in one of them"), "bad"),
    "only-legacy": (lazy("only in sessions.json"), "watch"),
    "only-directory": (lazy("only in sessions.d"), "watch"),
    "only-sqlite": (lazy("only in OpenClaw's database"), "watch"),
    "partly": (lazy("the same in two of three"), "watch"),
    "equal": (lazy("the same in all"), "ok"),
}


@dataclass(frozen=True, slots=True)
class WantedLayouts:
    """What the address asks for; empty means all."""

    outcome: str = ""
    text: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class LayoutForm:
    """One form as the page shows it. Texts are masked."""

    name: str
    word: str
    path: str
    is_there: bool
    counts: bool
    sessions: int
    bytes: int
    damaged: int
    version: int | None
    problem: Finding | None


@dataclass(frozen=True, slots=True)
class LayoutRow:
    """One session. Texts are masked; ``fields`` are some of those that differ."""

    ref: str
    key: str
    title: str
    outcome: str
    word: str
    tone: str
    forms: tuple[str, ...]
    damaged: tuple[str, ...]
    fields: tuple[str, ...]
    more_fields: int


@dataclass(frozen=True, slots=True)
class LayoutPage:
    """Everything on the page. ``problem``: it is still being compared, or cannot be."""

    store_id: str
    name: str
    forms: tuple[LayoutForm, ...]
    rows: tuple[LayoutRow, ...]
    every_row: Iterable[LayoutRow]
    counts: tuple[tuple[str, str, int], ...]
    total: int
    matched: int
    page: int
    pages: int
    wanted: WantedLayouts
    findings: tuple[Finding, ...]
    more_findings: int
    problem: Problem | None
    read_at_ms: int
    took_s: float

    @property
    def there(self) -> tuple[LayoutForm, ...]:
        """The forms that there are."""
        return tuple(form for form in self.forms if form.is_there)

    @property
    def can_compare(self) -> bool:
        """Whether there is more than one form to compare."""
        return sum(form.is_there and form.problem is None for form in self.forms) > 1

    @property
    def unlike(self) -> int:
        """How many sessions are not the same everywhere."""
        return self.total - sum(n for name, _word, n in self.counts if name == "equal")

    @property
    def tone(self) -> str:
        """How the verdict is coloured."""
        if any(form.problem for form in self.forms):
            return "bad"
        if not self.can_compare:
            return "unknown"
        return "watch" if self.unlike else "ok"

    @property
    def sentence(self) -> str:
        """The whole in one sentence."""
        if not self.can_compare:
            if len(self.there) > 1:
                return _("There is more than one form, and all but one cannot be read.")
            return _("Only one form is there, so there is nothing to compare it with.")
        if not self.unlike:
            return ngettext(
                "The session is the same in every form.",
                "All %(n)s sessions are the same in every form.",
                self.total,
            ) % {"n": f"{self.total:,}"}
        return ngettext(
            "%(n)s of %(total)s session is not the same in every form.",
            "%(n)s of %(total)s sessions are not the same in every form.",
            self.unlike,
        ) % {"n": f"{self.unlike:,}", "total": f"{self.total:,}"}


def layouts_page(store_id: str, wanted: WantedLayouts) -> LayoutPage:
    """Compare the forms of a store, or show the comparison of a moment ago.

    Raises:
        ProblemError: there is no such store.
    """
    reader = fleet().reader(store_id)
    kept = compared_now(reader, budget_s=page_budget_s())
    if isinstance(kept, Problem):
        return _nothing_yet(reader, wanted, kept)
    found, at_ms = kept
    rows = _matching(found, wanted)
    pages = max(1, -(-len(rows) // PER_PAGE))
    page = min(max(1, wanted.page), pages)
    first = (page - 1) * PER_PAGE
    return LayoutPage(
        store_id=reader.id,
        name=reader.name,
        forms=tuple(_form(form) for form in found.forms),
        rows=tuple(_row(reader, row) for row in rows[first : first + PER_PAGE]),
        every_row=(_row(reader, row) for row in rows),
        counts=_counts(found),
        total=len(found.rows),
        matched=len(rows),
        page=page,
        pages=pages,
        wanted=wanted,
        findings=tuple(masked_finding(one) for one in found.findings[:_MOST_FINDINGS]),
        more_findings=max(0, len(found.findings) - _MOST_FINDINGS),
        problem=None,
        read_at_ms=at_ms,
        took_s=found.took_s,
    )


def _nothing_yet(reader: Reader, wanted: WantedLayouts, problem: Problem) -> LayoutPage:
    now_ms = time.time_ns() // 1_000_000
    return LayoutPage(
        *(reader.id, reader.name, (), (), (), (), 0, 0, 1, 1),
        *(wanted, (), 0, problem, now_ms, 0.0),
    )


def _counts(found: Comparison) -> tuple[tuple[str, str, int], ...]:
    return tuple((name, str(OUTCOME_WORDS[name][0]), n) for name, n in found.counts.items())


def _matching(found: Comparison, wanted: WantedLayouts) -> list[Compared]:
    """Rows that are asked for. What is masked in a key is not found."""
    text = wanted.text.casefold()
    return [
        row
        for row in found.rows
        if (not wanted.outcome or row.outcome == wanted.outcome)
        and (not text or text in shown(row.key).casefold())
    ]


def _form(form: Form) -> LayoutForm:
    return LayoutForm(
        name=form.name,
        word=str(FORM_WORDS[form.name]),
        path=below_state(shown(str(form.path))),
        is_there=form.is_there,
        counts=form.counts,
        sessions=form.sessions,
        bytes=form.bytes,
        damaged=form.damaged,
        version=form.version,
        problem=masked_finding(form.problem) if form.problem else None,
    )


def _row(reader: Reader, row: Compared) -> LayoutRow:
    key = shown(row.key)
    word, tone = OUTCOME_WORDS[row.outcome]
    names = row.fields[:_MOST_FIELDS]
    return LayoutRow(
        ref=ref_of(reader, row.key),
        key=key,
        title=readable(key),
        outcome=row.outcome,
        word=str(word),
        tone=tone,
        forms=row.forms,
        damaged=tuple(str(FORM_WORDS[name]) for name in row.damaged),
        fields=tuple(shown(name)[:100] for name in names),
        more_fields=len(row.fields) - len(names) + row.more_fields,
    )


def ref_of(reader: Reader, key: str) -> str:
    """The id of a session in addresses, also of one that only a form that does not count has."""
    return reader.refs.of(key) if reader.row(key) is not None else digest(key)
