"""What the page of checks shows: every rule with its limits, what it finds now, and alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from dashboard.models import Threshold

from .check import Check
from .check_judging import UNKNOWN
from .check_limits import Sanity, sanity_of
from .check_memory import is_evaluated, milliseconds
from .check_said import Judged
from .checks import all_checks, backups_of, judged_now
from .fleet import LIVE_AGE_S
from .problems import ProblemError, not_there
from .stores import StoreList, list_stores
from .threshold_changes import limits_now
from .threshold_words import bands, said
from .thresholds import RULES, Limits, Rule
from .tree import shown


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of one agent as pages and programs see it."""

    rule: str
    agent: str
    state: str
    found: str
    value: float | None
    samples: int | None
    since_ms: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: its limits in words (good, watch, bad), and what it finds now."""

    name: str
    title: str
    reason: str
    bands: tuple[str, str, str]
    default: tuple[str, str, str]
    is_changed: bool
    changed_by: str
    changed_at_ms: int | None
    state: str
    current: str
    samples: int | None
    fewest: int
    page: str
    query: str
    figures: tuple[FigureRow, ...]
    is_settling: bool
    """This look alone says something else; a state changes when two evaluations agree."""


@dataclass(frozen=True, slots=True)
class ChecksPage:
    """Everything on the page but the alerts."""

    stores: StoreList
    rules: tuple[RuleRow, ...]
    sanity: Sanity
    is_settled: bool

    @property
    def figures(self) -> Iterator[FigureRow]:
        """Every figure of every rule."""
        for rule in self.rules:
            yield from rule.figures


def checks_page() -> ChecksPage:
    """Look at every store once; every rule is there, also one with nothing to measure."""
    stores = list_stores(max_age_s=LIVE_AGE_S)
    found, limits = judged_now(stores, backups_of(stores)), limits_now()
    changed = Threshold.objects.in_bulk()
    rules = tuple(
        _row(rule, limits[name], changed, found.get(name, [])) for name, rule in RULES.items()
    )
    return ChecksPage(stores, rules, sanity_of(stores), is_evaluated())


def _row(
    rule: Rule, limits: Limits, changed: Mapping[str, Threshold], several: list[Judged]
) -> RuleRow:
    worst = several[0] if several else None
    row = changed.get(rule.name)
    return RuleRow(
        name=rule.name,
        title=str(rule.title),
        reason=str(rule.reason),
        bands=bands(rule, limits),
        default=bands(rule, rule.default),
        is_changed=row is not None,
        changed_by=shown(row.actor) if row else "",
        changed_at_ms=milliseconds(row.changed_at) if row else None,
        state=worst.state if worst else UNKNOWN,
        current=_current(rule, worst),
        samples=worst.figure.samples if worst else None,
        fewest=rule.samples,
        page=rule.page,
        query=rule.query,
        figures=tuple(map(figure_row, several)),
        is_settling=worst is not None and worst.found != worst.state,
    )


def _current(rule: Rule, worst: Judged | None) -> str:
    if worst is None or worst.figure.value is None or worst.found == UNKNOWN:
        return ""
    return said(rule.unit, worst.figure.value)


def figure_row(one: Judged) -> FigureRow:
    """A judged figure as pages and programs see it."""
    figure = one.figure
    return FigureRow(
        rule=figure.rule,
        agent=figure.agent,
        state=one.state,
        found=one.found,
        value=figure.value,
        samples=figure.samples,
        since_ms=one.since_ms,
        sentence=figure.sentence,
    )


def wrong_check(name: str) -> Check:
    """A check that is not good now, to acknowledge it.

    Raises:
        ProblemError: there is none of this name, or it is good or grey.
    """
    stores = list_stores(max_age_s=LIVE_AGE_S)
    found = [one for one in all_checks(stores) if one.name == name]
    wrong = [one for one in found if one.state in ("bad", "watch")]
    if not wrong:
        raise _nothing()
    return next((one for one in wrong if one.state == "bad"), wrong[0])


def _nothing() -> ProblemError:
    return not_there(
        _("There is no such check that asks for a look now."), _("Open the overview again.")
    )
