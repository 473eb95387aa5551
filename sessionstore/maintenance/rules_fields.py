"""Rules about fields: the three that everything depends on, and those that weigh most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..errors import Finding, Severity
from ..index.kinds import rest_of_key
from .rule import CheckOptions, Rule, about_entry, amount, counted, path_of, quoted, several
from .shapes import Confidence, EntryFacts, Inventory

REBUILDABLE = ("skillsSnapshot", "systemPromptReport")
"""OpenClaw makes them anew when they are missing (openclaw-format §3.7)."""

_VERY_HEAVY = 10
_HEAVIEST = 3

_TIMES = {
    "text": "is text, not a number",
    "seconds": "counts seconds where milliseconds belong",
    "future": "is more than five minutes in the future",
    "negative": "is before 1970",
    "no-number": "is no number",
}
_FILES: dict[str, tuple[Severity, Confidence, str, str]] = {
    "missing": (
        "info",
        "certain",
        "names a transcript that is not there; another one is read",
        "it may be left as it is; the next run writes it anew",
    ),
    "other-id": (
        "warning",
        "likely",
        "names the transcript of another session id",
        "compare both transcripts before anything is removed",
    ),
    "other-agent": (
        "info",
        "certain",
        "names a transcript of another agent",
        "nothing here moves or removes that file",
    ),
    "elsewhere": (
        "info",
        "certain",
        "names a transcript in another state directory",
        "the state was moved or copied; the transcript beside the store is read",
    ),
    "outside": (
        "warning",
        "certain",
        "leads out of where transcripts may be, and is not followed",
        "find out which program wrote it; the transcript of the session id is read",
    ),
    "nul": (
        "warning",
        "certain",
        "has a NUL, so it is no path, and is not followed",
        "find out which program wrote it",
    ),
    "a-folder": (
        "warning",
        "certain",
        "ends as the name of a folder does, and is not followed",
        "find out which program wrote it",
    ),
    "no-name": (
        "warning",
        "certain",
        "holds what no file name can hold, and is not followed",
        "find out which program wrote it",
    ),
    "too-long": (
        "warning",
        "certain",
        "is longer than a path can be, and is not followed",
        "find out which program wrote it",
    ),
    "not-text": (
        "warning",
        "certain",
        "is no text, and counts as absent",
        "find out which program wrote it",
    ),
}


def bad_session_ids(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        if facts.odd.get("sessionId") == "invalid":
            yield about_entry(
                "bad-session-id",
                "warning",
                facts,
                "its sessionId cannot name a transcript",
                "find out which program wrote it; a reset gives the session a new one",
                evidence=(_value_of(facts.session_id),),
            )


def missing_session_ids(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        if facts.odd.get("sessionId") == "missing" and not _is_phantom(facts):
            yield about_entry(
                "no-session-id",
                "info",
                facts,
                "it has no sessionId, so it has no transcript",
                "its next run gives it one; until then it can be listed and changed as any other",
            )


def _is_phantom(facts: EntryFacts) -> bool:
    """OpenClaw's own row ``sessions`` has neither id nor time (openclaw-format §2.1)."""
    return rest_of_key(facts.key) == "sessions"


def _value_of(text: str | None) -> str:
    return "it is no text" if text is None else f"it is {quoted(text)}"


def bad_updated_at(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        word = facts.odd.get("updatedAt", "")
        if word in _TIMES:
            value = facts.updated_at_ms
            yield about_entry(
                "bad-updated-at",
                "warning",
                facts,
                f"its updatedAt {_TIMES[word]}",
                "it sorts and ages wrongly, so no plan prunes it; its next change writes it anew",
                evidence=() if value is None else (f"it is {value}",),
            )


def missing_updated_at(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        if facts.odd.get("updatedAt") == "missing" and not _is_phantom(facts):
            yield about_entry(
                "no-updated-at",
                "info",
                facts,
                "it has no updatedAt, so its age is unknown",
                "its next change writes one; OpenClaw never prunes such a session by age",
            )


def session_files(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for facts in inventory.entries.values():
        word = facts.odd.get("sessionFile", "")
        if word not in _FILES:
            continue
        severity, confidence, says, hint = _FILES[word]
        evidence = [f"it is {quoted(facts.session_file)}"] if facts.session_file else []
        if facts.transcript and not facts.session_file.endswith(f"/{facts.transcript}"):
            evidence.append(f"the file that counts is {quoted(facts.transcript)}")
        yield about_entry(
            "bad-session-file",
            severity,
            facts,
            f"its sessionFile {says}",
            hint,
            confidence=confidence,
            evidence=tuple(evidence),
        )


def heavy_fields(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    total = sum(facts.size_bytes for facts in inventory.entries.values())
    weights: defaultdict[str, list[tuple[int, EntryFacts]]] = defaultdict(list)
    for facts in inventory.entries.values():
        for name, size in facts.weights.items():
            weights[name].append((size, facts))
    for name, found in weights.items():
        size = sum(weight for weight, _ in found)
        if size < options.heavy_bytes or size < options.heavy_share * total:
            continue
        found.sort(key=lambda one: (-one[0], one[1].key))
        is_warning = name in REBUILDABLE and size >= _VERY_HEAVY * options.heavy_bytes
        yield Finding(
            "heavy-field",
            "warning" if is_warning else "info",
            None,
            path_of(inventory, ""),
            f"the field {quoted(name)} is {amount(size)} in {counted(len(found), 'session')}, "
            f"{round(100 * size / total)} % of all entries",
            "slim it by a plan: the gateway makes it anew when it needs it"
            if name in REBUILDABLE
            else "look at what writes it; it is no field that can be made anew",
            "certain",
            several([facts.key for _, facts in found[:_HEAVIEST]]),
            size,
            None,
        )


RULES = (
    Rule(
        "bad-session-id",
        "Session ids that cannot name a transcript",
        "A sessionId is 1 to 128 letters, digits, dots, underscores and hyphens, the first a "
        "letter or digit, and does not look like a checkpoint's name.",
        ("warning",),
        bad_session_ids,
    ),
    Rule(
        "no-session-id",
        "Sessions without a session id",
        "The field is optional: such a session is listed and changed as any other, and has no "
        "transcript yet.",
        ("info",),
        missing_session_ids,
    ),
    Rule(
        "bad-updated-at",
        "Times that are no times",
        "updatedAt is text, no number, negative, in seconds instead of milliseconds, or over five "
        "minutes in the future.",
        ("warning",),
        bad_updated_at,
    ),
    Rule(
        "no-updated-at",
        "Sessions without a time",
        "The field is optional; without it nothing is known of a session's age.",
        ("info",),
        missing_updated_at,
    ),
    Rule(
        "bad-session-file",
        "Session files that lead elsewhere",
        "sessionFile leads out of the store, is no path, names another agent's, another session's "
        "or a missing transcript. What leads out is a warning and is never followed; a path of the "
        "usual form in another state directory only says that the state was moved.",
        ("info", "warning"),
        session_files,
    ),
    Rule(
        "heavy-field",
        "Fields by weight",
        "Fields that are over a fifth of all entries' bytes and over 1 MiB together; a warning "
        "over 10 MiB where OpenClaw can make them anew (skillsSnapshot, systemPromptReport).",
        ("info", "warning"),
        heavy_fields,
    ),
)
