"""Rules about transcripts: missing, without a session, empty, shared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..errors import Finding, Severity
from ..index.kinds import rest_of_key
from .rule import (
    CheckOptions,
    Rule,
    about_entry,
    about_file,
    age_s,
    ago,
    counted,
    declared,
    quoted,
    several,
)
from .shapes import Confidence, EntryFacts, FileFacts, Inventory

PLAIN = ("transcript", "topic", "fork")
SIDECARS = ("checkpoint", "trajectory", "trajectory-pointer")


def missing(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    archived = {
        facts.session_id: facts.name
        for facts in inventory.files.values()
        if facts.kind.startswith("archive-")
    }
    for facts in inventory.entries.values() if inventory.is_listed else ():
        if facts.transcript or "sessionId" in facts.odd or _never_has_one(facts):
            continue
        at_ms = facts.active_at_ms
        age = None if at_ms is None else age_s(inventory, at_ms)
        is_new = age is not None and age < options.new_session_s
        is_elsewhere = facts.odd.get("sessionFile") == "other-agent"
        severity: Severity = "info" if is_new or is_elsewhere else "warning"
        evidence = [f"no file {facts.expected} beside the store, and no other of its id"]
        evidence.append("its age is unknown" if age is None else f"it changed {ago(age)} ago")
        if name := archived.get(facts.session_id):
            evidence.append(f"an archive of its id is there: {quoted(name)}")
        yield about_entry(
            "no-transcript",
            severity,
            facts,
            "its transcript is not there",
            "a new session has none until its first run; an older one may have lost it, so look "
            "for it in a backup before it is pruned",
            confidence="possible" if is_new else "certain",
            evidence=tuple(evidence),
        )


def _never_has_one(facts: EntryFacts) -> bool:
    """Slash commands are routed, not run; ACP sessions keep their text elsewhere."""
    return facts.kind == "acp" or ":slash:" in f":{rest_of_key(facts.key)}"


def orphans(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    whole = inventory.is_complete
    for facts in inventory.files.values():
        is_transcript = facts.kind in PLAIN
        if facts.is_referenced or not (is_transcript or facts.kind in SIDECARS):
            continue
        what = "transcript" if is_transcript else facts.kind.replace("-", " ")
        why = _why_not_yet(inventory, facts, options)
        severity: Severity = "info" if why or not is_transcript else "warning"
        confidence: Confidence = "possible" if why or not whole else "likely"
        evidence = [why] if why else []
        if not whole:
            evidence.append("not every entry could be read, so one of these may name it")
        yield about_file(
            "orphan-transcript",
            severity,
            inventory,
            facts,
            f"no session names this {what}",
            "wait until its run is over, then check again"
            if why
            else "archive it by a plan; entries of other agents were not asked for it",
            confidence=confidence,
            evidence=(_unnamed(facts), *evidence),
        )


def _unnamed(facts: FileFacts) -> str:
    if facts.session_id is None:
        return "no entry has it as sessionFile, and its name has no session id"
    return f"no entry has its id {facts.session_id}"


def _why_not_yet(inventory: Inventory, facts: FileFacts, options: CheckOptions) -> str:
    if facts.is_locked:
        return "it is not counted as an orphan: its lock file is there, a run may be writing it"
    age = age_s(inventory, facts.modified_at_ms)
    if age < options.recent_s:
        return f"it is not counted as an orphan: it was written {ago(age)} ago"
    return ""


def empty(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.files.values():
        age = age_s(inventory, facts.modified_at_ms)
        if not facts.content or facts.is_locked or age < options.recent_s:
            continue
        is_empty = facts.content == "empty"
        severity: Severity = "warning" if is_empty and facts.is_referenced else "info"
        keys = inventory.keys_of.get(facts.name, ())
        yield about_file(
            "empty-transcript",
            severity,
            inventory,
            facts,
            "the transcript is empty" if is_empty else "the transcript has a header and no more",
            "look for its text in a backup; a transcript starts with a header"
            if severity == "warning"
            else "a session that was just made or reset has no more; the next run goes on with it",
            evidence=(counted(facts.size_bytes, "byte"), *several(list(keys))),
            key=keys[0] if len(keys) == 1 else None,
        )


def shared(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    by_file: defaultdict[str, list[EntryFacts]] = defaultdict(list)
    for facts in inventory.entries.values():
        name = facts.transcript or facts.expected
        if name:
            by_file[name].append(facts)
    for name, same in by_file.items():
        if len({declared(facts) for facts in same}) < 2:
            continue
        newest = max(same, key=lambda one: (one.active_at_ms or 0, one.key))
        others = sorted(one.key for one in same if one is not newest)
        yield about_entry(
            "shared-transcript",
            "warning",
            newest,
            f"its transcript is that of {counted(len(others), 'other session')} too",
            "reset all but the one that it belongs to: each run writes into the same file",
            evidence=(f"the file is {quoted(name)}", *several(others)),
        )


RULES = (
    Rule(
        "no-transcript",
        "Sessions without a transcript",
        "Sessions with a session id and no transcript of it beside the store: a warning when they "
        "last changed over a day ago or at an unknown time, else only worth knowing, since a new "
        "session has none. Slash commands and ACP sessions are left "
        "out; nothing is called missing where the folder cannot be listed.",
        ("info", "warning"),
        missing,
    ),
    Rule(
        "orphan-transcript",
        "Transcripts without a session",
        "Transcripts, checkpoints and traces beside the store that no entry names, whether here, "
        "in another store of the same folder, in an older sessions.json or as an earlier life of "
        "a session. Archives are none. One that is locked or was written in the last 5 minutes "
        "is told of, but not counted as an orphan. If some entries cannot be read, every orphan "
        "is only possible.",
        ("info", "warning"),
        orphans,
    ),
    Rule(
        "empty-transcript",
        "Empty transcripts",
        "Transcripts of no bytes, or of a header and nothing else. An empty one that a session "
        "names is a warning. Written in the last 5 minutes or locked: left out.",
        ("info", "warning"),
        empty,
    ),
    Rule(
        "shared-transcript",
        "Sessions that share a transcript",
        "Two or more session keys lead to the same transcript. A cron job and its own runs do so "
        "by design and are left out. One finding per file, at the session that changed last.",
        ("warning",),
        shared,
    ),
)
