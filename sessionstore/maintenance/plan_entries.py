"""Which sessions go: by age, by count, runs of cron jobs (openclaw-format §5.2, §5.3, §5.5)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from .plan_draft import Draft
from .protected import parent_of
from .rule import DAY_S, ago, counted
from .shapes import EntryFacts

_RUN = ":run:"
_MODEL_RUN_S = DAY_S
_MODEL_RUN = "explicit:model-run-"


def prune(draft: Draft) -> None:
    """Let sessions go that were not updated for longer than the policy says.

    As documented: strictly older, and a row without ``updatedAt`` stays. So does one whose value
    is no time of this age (seconds for milliseconds, negative), which OpenClaw would prune.
    """
    limit_s = draft.policy.prune_after_s
    if limit_s is None:
        return
    old = {
        one.key: one
        for one in draft.staying()
        if one.active_at_ms is not None and draft.age_s(one.active_at_ms) > limit_s
    }
    why = {key: why for key, one in old.items() if (why := draft.protection.of(one))}
    while True:
        staying = [one for one in draft.staying() if one.key not in old or one.key in why]
        parents = draft.protection.parents(staying)
        more = {key: parents[key] for key in old.keys() & parents.keys() if key not in why}
        if not more:
            break
        why |= more
    for one in sorted(old.values(), key=_age_order):
        assert one.active_at_ms is not None
        said = f"Not updated for {ago(draft.age_s(one.active_at_ms))}; the limit is {ago(limit_s)}."
        if one.key in why:
            draft.keep_entry(one, "prune", said, why[one.key])
        else:
            draft.take_entry(one, "prune", said)


def _age_order(facts: EntryFacts) -> tuple[float, str]:
    """Oldest first; without ``updatedAt`` before all others, as documented for the cap."""
    at_ms = facts.updated_at_ms
    return (-math.inf if at_ms is None else at_ms, facts.key)


def cron_runs(draft: Draft) -> None:
    """Let finished runs of cron jobs go: those too old, and of each job those beyond N."""
    kept, limit_s = draft.policy.cron_runs_kept, draft.policy.cron_retention_s
    if kept is None and limit_s is None:
        return
    by_job: defaultdict[str, list[EntryFacts]] = defaultdict(list)
    for one in draft.staying():
        if one.kind == "cron-run":
            by_job[one.key.rpartition(_RUN)[0]].append(one)
    parents = draft.protection.parents(draft.staying())
    for runs in by_job.values():
        if limit_s is not None:
            for one in runs:
                _cron_age(draft, one, limit_s, parents)
        finished = [one for one in runs if one.key not in draft.entries and not _is_running(one)]
        if kept is not None and len(finished) > kept:
            _beyond(draft, finished, kept, parents)


def _cron_age(draft: Draft, facts: EntryFacts, limit_s: float, parents: Mapping[str, str]) -> None:
    age = draft.age_s(facts.updated_at_ms or 0)  # as documented: missing counts as 0
    if age <= limit_s:
        return
    known = "Its age is unknown" if facts.updated_at_ms is None else f"It is {ago(age)} old"
    said = f"{known}, and runs of cron jobs are kept for {ago(limit_s)}."
    why = draft.protection.of(facts) or parents.get(facts.key, "")
    if _is_running(facts):
        why = why or "it is marked running"
    if why:
        draft.keep_entry(facts, "cron-retention", said, why)
    else:
        draft.take_entry(facts, "cron-retention", said)


def _beyond(
    draft: Draft, finished: list[EntryFacts], kept: int, parents: Mapping[str, str]
) -> None:
    newest = sorted(finished, key=_age_order, reverse=True)
    for place, one in enumerate(newest[kept:], kept + 1):
        said = f"It is number {place:,} of its job's finished runs; the newest {kept:,} are kept."
        if why := draft.protection.of(one) or parents.get(one.key, ""):
            draft.keep_entry(one, "cron-runs", said, why)
        else:
            draft.take_entry(one, "cron-runs", said)


def _is_running(facts: EntryFacts) -> bool:
    return facts.status == "running"


def cap(draft: Draft) -> None:
    """Let the oldest sessions go until no more than the policy's number are left.

    As documented: sorted by ``updatedAt``, missing first; protected ones stay and still count.
    Probes of models that are over a day old go before all others (2026.7.1).
    """
    most = draft.policy.max_entries
    if most is None:
        return
    total = len(draft.look.entries)
    if (over := total - len(draft.entries) - most) <= 0:
        return
    target = len(draft.entries) + over

    def take(facts: EntryFacts, rule: str, words: str) -> None:
        draft.take_entry(facts, rule, words)

    def is_enough() -> bool:
        return len(draft.entries) >= target

    probes = [one for one in draft.staying() if _is_old_probe(draft, one)]
    limit = f"the limit is {counted(most, 'session')}, and there are {total:,}"
    said = f"It is a probe of a model, over a day old; {limit}."
    evict(draft, probes, "model-runs", said, take=take, is_enough=is_enough)
    said = f"It is one of the oldest; {limit}."
    evict(draft, list(draft.staying()), "cap", said, take=take, is_enough=is_enough)
    if (left := target - len(draft.entries)) > 0:
        draft.warnings.append(
            f"{counted(left, 'session')} more than the limit of {most:,} would stay, since they "
            "are protected."
        )


def _is_old_probe(draft: Draft, facts: EntryFacts) -> bool:
    at_ms = facts.updated_at_ms
    is_old = at_ms is not None and draft.age_s(at_ms) > _MODEL_RUN_S
    return facts.kind == "internal" and _MODEL_RUN in facts.key and is_old


def evict(
    draft: Draft,
    candidates: list[EntryFacts],
    rule: str,
    words: str,
    *,
    take: Callable[[EntryFacts, str, str], None],
    is_enough: Callable[[], bool],
) -> None:
    """Let the oldest of these go until that is enough; protected ones on the way are told.

    One whose sub-agent is kept stays as well, and is asked again once that one has gone.
    """
    children = Counter(parent_of(one) for one in draft.staying())
    waiting, later = sorted(candidates, key=_age_order), list[EntryFacts]()
    while waiting and not is_enough():
        later, before = [], len(draft.entries)
        for one in waiting:
            if is_enough():
                break
            if why := draft.protection.of(one):
                draft.keep_entry(one, rule, words, why)
            elif children[one.key]:
                later.append(one)
            else:
                take(one, rule, words)
                children[parent_of(one)] -= 1
        waiting = later if len(draft.entries) > before else []
    for one in later:
        if one.key not in draft.entries:
            draft.keep_entry(one, rule, words, "a sub-agent that it started is kept")
