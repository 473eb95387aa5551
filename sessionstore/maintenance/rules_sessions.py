"""Rules about what sessions are for: stale, stuck, left over, doubled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..errors import Finding, Severity
from ..index.kinds import agent_id_of_key
from ..paths import normalise_agent_id
from .rule import (
    CheckOptions,
    Rule,
    about_entry,
    age_s,
    ago,
    counted,
    declared,
    quoted,
    several,
)
from .shapes import EntryFacts, Inventory


def untouched(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        at_ms = facts.active_at_ms
        if at_ms is None or facts.key in inventory.active_keys:
            continue
        age = age_s(inventory, at_ms)
        if age > options.untouched_after_s:
            yield about_entry(
                "untouched",
                "info",
                facts,
                f"nothing has changed here for {ago(age)}",
                "prune it if nobody needs it; a session that is pinned is never pruned",
                evidence=(f"its kind is {facts.kind}",),
            )


def running(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        if facts.status != "running" or facts.key in inventory.active_keys:
            continue
        silent = _silent_s(inventory, facts)
        if silent is not None and silent <= options.running_watch_s:
            continue
        is_bad = silent is None or silent >= options.running_bad_s
        severity: Severity = "error" if is_bad else "warning"
        since = "no sign of life is known" if silent is None else f"nothing for {ago(silent)}"
        yield about_entry(
            "running-without-proof",
            severity,
            facts,
            f"it is marked running, and nothing shows that it is: {since}",
            "look whether its program lives; a reset or a new message ends the mark",
            confidence="likely" if is_bad else "possible",
            evidence=(
                "nobody holds or awaits its lock or its transcript's",
                "neither its entry nor its transcript was written since",
            ),
        )


def _silent_s(inventory: Inventory, facts: EntryFacts) -> float | None:
    signs = [
        inventory.files[name].modified_at_ms
        for name in facts.transcripts
        if name in inventory.files
    ]
    if facts.active_at_ms is not None:
        signs.append(facts.active_at_ms)
    return age_s(inventory, max(signs)) if signs else None


def failover(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        if facts.has_failover_override:
            yield about_entry(
                "failover-override",
                "warning",
                facts,
                "a failover changed its model, and the change is still in place",
                "clear the model override once the usual model answers again",
                confidence="likely",
                evidence=("modelOverride is set and modelOverrideSource is auto",),
            )


def doubled_labels(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    by_label: defaultdict[str, list[EntryFacts]] = defaultdict(list)
    for facts in inventory.entries.values():
        if facts.label:
            by_label[facts.label].append(facts)
    for same in by_label.values():
        if len({declared(facts) for facts in same}) > 1:
            newest = max(same, key=lambda one: (one.active_at_ms or 0, one.key))
            others = sorted(one.key for one in same if one is not newest)
            yield about_entry(
                "label-twice",
                "warning",
                newest,
                f"its label {quoted(newest.label)} is the label of "
                f"{counted(len(others), 'other session')} too",
                "rename all but one: a label names one session of a store",
                evidence=several(others),
            )


def finished_cron_runs(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    by_job: defaultdict[str, list[EntryFacts]] = defaultdict(list)
    for facts in inventory.entries.values():
        is_over = facts.status != "running" and facts.key not in inventory.active_keys
        if facts.kind == "cron-run" and is_over:
            by_job[facts.key.rpartition(":run:")[0]].append(facts)
    for job, runs in by_job.items():
        runs.sort(key=lambda one: (one.active_at_ms or 0, one.key), reverse=True)
        for place, facts in enumerate(runs[options.cron_runs_kept :], options.cron_runs_kept + 1):
            yield about_entry(
                "finished-cron-run",
                "info",
                facts,
                f"it is number {place:,} of the finished runs of its cron job, newest first",
                f"keep the newest {options.cron_runs_kept:,} and remove the rest by a plan",
                evidence=(f"the job {quoted(job)} has {counted(len(runs), 'finished run')} here",),
            )


def orphaned_subagents(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        parent = facts.parent_key.strip()
        if facts.kind != "subagent" or not parent or facts.key in inventory.active_keys:
            continue
        if _is_of_other_agent(inventory, parent) or _has(inventory, parent):
            continue
        yield about_entry(
            "subagent-without-parent",
            "info",
            facts,
            f"the session that started it, {quoted(parent)}, is not here any more",
            "prune it if its work is done",
            confidence="certain" if inventory.is_complete else "possible",
            evidence=(f"its entry names {quoted(parent)} as its parent",),
        )


def _has(inventory: Inventory, key: str) -> bool:
    spellings = (key, key.lower(), f"agent:{inventory.paths.agent_id}:{key}".lower())
    return any(one in inventory.entries for one in spellings)


def _is_of_other_agent(inventory: Inventory, key: str) -> bool:
    agent, mine = agent_id_of_key(key.lower()), inventory.paths.agent_id
    return agent is not None and mine is not None and not _is_same(agent, mine)


def _is_same(agent: str, other: str) -> bool:
    return normalise_agent_id(agent) == normalise_agent_id(other)


def wrong_agent(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    mine = inventory.paths.agent_id
    if mine is None:
        return
    for facts in inventory.entries.values():
        agent = agent_id_of_key(facts.key)
        if agent is not None and not _is_same(agent, mine):
            yield about_entry(
                "wrong-agent",
                "warning",
                facts,
                f"its key names the agent {quoted(agent)}, and the store is of {quoted(mine)}",
                "find out which program put it here; its own agent does not see it",
                evidence=(f"the store is {quoted(str(inventory.paths.store_path))}",),
            )


RULES = (
    Rule(
        "untouched",
        "Untouched sessions",
        "Sessions whose updatedAt is older than 30 days. Without a believable updatedAt nothing "
        "is said about age, and a session that is locked or awaited now is left out.",
        ("info",),
        untouched,
    ),
    Rule(
        "running-without-proof",
        "Marked running without proof of life",
        "Sessions whose status is running while nobody holds or awaits their lock or that of "
        "their transcript, and neither entry nor transcript was written for 30 seconds (warning) "
        "or 15 minutes (error). A program that works for long without writing looks the same.",
        ("warning", "error"),
        running,
    ),
    Rule(
        "failover-override",
        "Model override left by a failover",
        "Sessions whose model was changed automatically, not by a person, and not changed back: "
        "they go on with the substitute.",
        ("warning",),
        failover,
    ),
    Rule(
        "label-twice",
        "Labels that several sessions have",
        "A label names one session of a store. One finding per label, at the session that changed "
        "last; the others are its evidence. A cron job and its own runs have one label by design.",
        ("warning",),
        doubled_labels,
    ),
    Rule(
        "finished-cron-run",
        "Finished runs of cron jobs",
        "Runs of a cron job beyond the newest 10 that are not running. The job's own session is "
        "no run.",
        ("info",),
        finished_cron_runs,
    ),
    Rule(
        "subagent-without-parent",
        "Sub-agents without their parent",
        "Sub-agents whose entry names a session of this agent as parent that is not here. One "
        "that names none, or one of another agent, is left out.",
        ("info",),
        orphaned_subagents,
    ),
    Rule(
        "wrong-agent",
        "Keys of another agent",
        "Sessions whose key names another agent than the folder that the store is in. Ids of "
        "agents are compared as OpenClaw spells them; keys without an agent are left out.",
        ("warning",),
        wrong_agent,
    ),
)
