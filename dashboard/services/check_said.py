"""From judged figures of all stores to one sentence per rule: the worst, and how many others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .check import Check, names_of
from .check_judging import OK, SEVERITY, UNKNOWN, WATCH, Figure, grade
from .check_memory import Memories
from .thresholds import RULES, Limits, Rule


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure with its state: as settled by the runners, or, without any, as found just now."""

    figure: Figure
    state: str
    found: str
    since_ms: int | None

    @property
    def weight(self) -> tuple[int, float, bool]:
        """What makes it the worst of several."""
        value = self.figure.value or 0.0
        amount = -value if RULES[self.figure.rule].falling else value
        return SEVERITY[self.state], amount, bool(self.figure.detail)  # who has more to say


def judged(
    figures: Iterable[Figure], limits: Mapping[str, Limits], memories: Memories
) -> dict[str, list[Judged]]:
    """Every figure with its state, by rule, worst first. Stale figures are grey in any case."""
    found: dict[str, list[Judged]] = {}
    for figure in figures:
        rule = RULES[figure.rule]
        state = grade(rule, limits[rule.name], figure)
        memory = None if figure.stale else memories.get((figure.store_id, rule.name))
        one = Judged(
            figure,
            memory.state if memory else state,
            state,
            memory.since_ms if memory else None,
        )
        found.setdefault(rule.name, []).append(one)
    for several in found.values():
        several.sort(key=lambda one: one.weight, reverse=True)
    return found


def figure_checks(found: Mapping[str, list[Judged]], read_at_ms: int) -> Iterator[Check]:
    """One check for each rule that anything was measured for."""
    for name, rule in RULES.items():
        if several := found.get(name):
            yield _check(rule, several, read_at_ms)


def _check(rule: Rule, several: list[Judged], read_at_ms: int) -> Check:
    worst = several[0]
    alike = [one for one in several if one.figure.sentence == worst.figure.sentence]
    is_one = len(several) == len(alike)
    is_wrong = SEVERITY[worst.state] >= SEVERITY[WATCH]
    sentence = worst.figure.sentence
    if worst.figure.agent and (is_wrong or not is_one):
        sentence = _("%(agent)s: %(sentence)s") % {
            "agent": worst.figure.agent,
            "sentence": sentence,
        }
    return Check(
        name=rule.name,
        state=worst.state,
        sentence=sentence,
        detail=" ".join(part for part in _details(worst, several, is_one=is_one) if part),
        page=rule.page,
        query=rule.query,
        checked_at_ms=read_at_ms if worst.found != UNKNOWN else None,
        rule=rule.name,
        found=worst.found,
        since_ms=worst.since_ms,
        agents=tuple(
            one.figure.agent for one in several if one.state == worst.state and one.figure.agent
        ),
    )


def _details(worst: Judged, several: list[Judged], *, is_one: bool) -> Iterator[str]:
    is_wrong = SEVERITY[worst.state] >= SEVERITY[WATCH]
    if is_wrong or worst.figure.samples is not None:
        yield worst.figure.detail
    if is_one and is_wrong and len(several) > 1:
        yield _("So it is with %s.") % names_of([one.figure.agent for one in several[1:]])
    else:
        yield _others(several)
    if worst.found != worst.state:
        yield _unsettled(worst)


def _others(several: list[Judged]) -> str:
    """How many others ask for a look, or cannot be judged."""
    rest = several[1:]
    wrong = sum(SEVERITY[one.state] >= SEVERITY[WATCH] for one in rest)
    grey = sum(one.state == UNKNOWN for one in rest)
    parts = []
    if wrong:
        parts.append(
            ngettext(
                "%(n)d other agent asks for a look too.",
                "%(n)d other agents ask for a look too.",
                wrong,
            )
            % {"n": wrong}
        )
    if grey and several[0].state != UNKNOWN:
        parts.append(
            ngettext(
                "Of %(n)d other agent this cannot be told.",
                "Of %(n)d other agents this cannot be told.",
                grey,
            )
            % {"n": grey}
        )
    return " ".join(parts)


def _unsettled(worst: Judged) -> str:
    if worst.found == OK:
        return _("By this look alone it would be fine; a state changes when two agree.")
    if worst.found == UNKNOWN:
        return _("By this look alone it could not be told; a state changes when two agree.")
    if worst.found == WATCH:
        return _("By this look alone it would be watched; a state changes when two agree.")
    return _("By this look alone it would be bad; a state changes when two agree.")
