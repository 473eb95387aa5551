"""The items of a plan: narrowed, counted, and finished for showing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from dashboard.models import TidyItem, TidyPlan

from .readers import Reader
from .rows import readable
from .tidy_search import containing, only_masked
from .tidy_words import (
    ACTION_TONES,
    ACTION_WORDS,
    KIND_WORDS,
    OUTCOME_TONES,
    OUTCOME_WORDS,
    PLAN_RULE_WORDS,
    word,
)
from .tree import shown

PER_PAGE = 100
FACETS = ("action", "rule", "kind", "outcome")
EXCLUDED = "excluded"
_SEARCHED = ("subject",)


@dataclass(frozen=True, slots=True)
class WantedItems:
    """What is asked for. ``actions`` may name "excluded", which is no action of the library's."""

    actions: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    text: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item, masked. ``ref`` addresses its session, as long as that is there."""

    number: int
    kind: str
    kind_word: str
    action: str
    action_word: str
    tone: str
    rule: str
    rule_word: str
    reason: str
    subject: str
    title: str
    ref: str
    others: tuple[str, ...]
    size_bytes: int
    frees_bytes: int
    age_s: float | None
    protected_by: str
    is_excluded: bool
    outcome: str
    outcome_word: str
    outcome_tone: str
    message: str
    freed_bytes: int


def all_items(plan: TidyPlan, reader: Reader, wanted: WantedItems) -> Iterator[ItemRow]:
    """Every item that matches, a batch at a time."""
    return item_rows(matching(plan, wanted).iterator(1000), reader)


def matching(plan: TidyPlan, wanted: WantedItems) -> QuerySet[TidyItem]:
    """The items that match, as rows of the database."""
    base = plan.items.all()
    return narrowed(base, wanted, hidden_of(base, wanted))


def hidden_of(base: QuerySet[TidyItem], wanted: WantedItems) -> Collection[int]:
    """The items that the text that is asked for meets only where it is masked."""
    return only_masked(base, wanted.text.split(), _SEARCHED)


def narrowed(
    base: QuerySet[TidyItem], wanted: WantedItems, hidden: Collection[int], *, without: str = ""
) -> QuerySet[TidyItem]:
    """The items of a plan that match; ``without`` names what is not to narrow them."""
    found = base
    if wanted.actions and without != "action":
        actions = wanted.actions - {EXCLUDED}
        chosen = base.none()
        if actions:
            chosen = found.filter(action__in=actions, is_excluded=False)
        if EXCLUDED in wanted.actions:
            excluded = found.filter(is_excluded=True)
            chosen = (chosen | excluded) if actions else excluded
        found = chosen
    for name, values in (
        ("rule", wanted.rules),
        ("kind", wanted.kinds),
        ("outcome", wanted.outcomes),
    ):
        if values and without != name:
            found = found.filter(**{f"{name}__in": values})
    found = found.filter(containing(wanted.text.split(), _SEARCHED))
    return found.exclude(pk__in=hidden) if hidden else found


def counts_of(
    base: QuerySet[TidyItem], wanted: WantedItems, hidden: Collection[int], name: str
) -> Mapping[str, int]:
    """By value what choosing it would show."""
    found = narrowed(base, wanted, hidden, without=name).order_by()
    if name == "action":
        staying = found.filter(is_excluded=False).values_list("action").annotate(n=Count("pk"))
        counts = dict(staying)
        if excluded := found.filter(is_excluded=True).count():
            counts[EXCLUDED] = excluded
        return counts
    if name == "outcome":
        found = found.exclude(outcome="")
    return dict(found.values_list(name).annotate(n=Count("pk")))


def item_rows(items: Iterable[TidyItem], reader: Reader) -> Iterator[ItemRow]:
    """Finish items for showing."""
    for one in items:
        row = reader.row(one.subject) if one.has_key else None
        subject = shown(one.subject)
        name = "" if row is None else shown(row.name)
        title = name or (readable(subject) if one.has_key else subject.rpartition("/")[2])
        yield ItemRow(
            number=one.position,
            kind=one.kind,
            kind_word=word(KIND_WORDS, one.kind),
            action=one.action,
            action_word=_("Left out") if one.is_excluded else word(ACTION_WORDS, one.action),
            tone="none" if one.is_excluded else ACTION_TONES.get(one.action, "none"),
            rule=one.rule,
            rule_word=word(PLAN_RULE_WORDS, one.rule),
            reason=shown(one.reason),
            subject=subject,
            title=title or subject,
            ref=reader.refs.of(one.subject) if row is not None else "",
            others=tuple(shown(str(text)) for text in one.others),
            size_bytes=one.size_bytes,
            frees_bytes=0 if one.is_excluded else one.frees_bytes,
            age_s=one.age_s,
            protected_by=shown(one.protected_by),
            is_excluded=one.is_excluded,
            outcome=one.outcome,
            outcome_word=word(OUTCOME_WORDS, one.outcome),
            outcome_tone=OUTCOME_TONES.get(one.outcome, "none"),
            message=shown(one.message),
            freed_bytes=one.freed_bytes,
        )
