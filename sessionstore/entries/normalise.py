"""The rules that keep one entry consistent with itself.

Source: openclaw-format.md §3.4 (legacy names), §4.2 (delivery fields, model), §4.4 and §4.5
(merge, last route). ``deliveryContext`` and the four ``last*`` fields say the same thing twice;
they are brought into agreement on every load and every write. Where they disagree, ``last*``
wins, as in OpenClaw, unless the write changed only ``deliveryContext``.
"""

from __future__ import annotations

import math
from typing import Any

from .codec import Entry
from .compare import equal, is_finite_number

_LEGACY_NAMES = (
    ("provider", "channel"),
    ("lastProvider", "lastChannel"),
    ("room", "groupChannel"),
)
_CONTEXT_OF = {
    "lastChannel": "channel",
    "lastTo": "to",
    "lastAccountId": "accountId",
    "lastThreadId": "threadId",
}
_CONTEXT_SOURCES = ("channel", *_CONTEXT_OF, "deliveryContext", "origin")
NORMALISED_FIELDS = frozenset(
    [name for pair in _LEGACY_NAMES for name in pair]
    + [*_CONTEXT_OF, "deliveryContext", "origin", "model", "modelProvider"]
)
"""Fields that :func:`normalise` reads or writes; it depends on no other."""


def normalise(entry: Entry) -> Entry:
    """The entry with all rules applied; the same object when it already obeys them."""
    if _is_normal(entry):
        return entry
    return _apply_rules(entry)


def _apply_rules(entry: Entry) -> Entry:
    changes: Entry = {}
    _rename_legacy(entry, changes)
    _trim_model(entry, changes)
    _agree_on_delivery(entry, changes)
    changes = {
        name: value
        for name, value in changes.items()
        if (value is None and name in entry) or (value is not None and entry.get(name) != value)
    }
    return merged(entry, changes) if changes else entry


def _is_normal(entry: Entry) -> bool:
    """A quick yes for what nearly every entry is; a no only means that the rules must look."""
    if "provider" in entry or "lastProvider" in entry or "room" in entry:
        return False
    get = entry.get
    if "model" in entry:
        if not _is_clean(get("model")) or not _is_clean(get("modelProvider", "-")):
            return False
    elif "modelProvider" in entry:
        return False
    context = get("deliveryContext")
    if context is None:
        return not any(name in entry for name in _CONTEXT_SOURCES)
    if type(context) is not dict or None in context.values():
        return False
    channel = context.get("channel")
    if channel is None or channel != get("lastChannel") or not _is_clean(channel):
        return False
    thread = context.get("threadId")
    return (
        channel == channel.lower()
        and thread == get("lastThreadId")
        and (type(thread) is int or _is_clean_or_absent(thread, "lastThreadId", entry))
        and (to := context.get("to")) == get("lastTo")
        and _is_clean_or_absent(to, "lastTo", entry)
        and (account := context.get("accountId")) == get("lastAccountId")
        and _is_clean_or_absent(account, "lastAccountId", entry)
    )


def _is_clean_or_absent(value: Any, name: str, entry: Entry) -> bool:
    return name not in entry if value is None else _is_clean(value)


def _is_clean(value: Any) -> bool:
    return type(value) is str and value != "" and not (value[0].isspace() or value[-1].isspace())


def merged(entry: Entry, changes: Entry) -> Entry:
    """A copy with ``changes`` on top; a value of None removes the field."""
    result = {**entry, **changes}
    for name, value in changes.items():
        if value is None:
            del result[name]
    return result


def _rename_legacy(entry: Entry, changes: Entry) -> None:
    for old, new in _LEGACY_NAMES:
        if old not in entry:
            continue
        # A blank new name counts as none: the delivery rule would drop it anyway.
        if _is_text(entry[old]) and not _is_text(entry.get(new)):
            changes[new] = entry[old]
            changes[old] = None
        elif old == "room":
            changes[old] = None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _trim_model(entry: Entry, changes: Entry) -> None:
    model, provider = entry.get("model"), entry.get("modelProvider")
    if model is not None and not isinstance(model, str):
        return  # not ours to judge: unknown data survives
    name = (model or "").strip()
    if "model" in entry:
        changes["model"] = name or None
    if isinstance(provider, str):
        changes["modelProvider"] = provider.strip() or None
    if not name and "modelProvider" in entry:
        changes["modelProvider"] = None


def _agree_on_delivery(entry: Entry, changes: Entry) -> None:
    current = {**entry, **changes}
    context = current.get("deliveryContext")
    if context is not None and not isinstance(context, dict):
        return
    agreed = _agreed_context(current)
    if context is not None or agreed:
        # Fields of the context that we do not know stay in it.
        rest = {n: v for n, v in (context or {}).items() if n not in _CONTEXT_OF.values()}
        order = list(context or ())
        known = {**{n: agreed[n] for n in order if n in agreed}, **agreed}
        changes["deliveryContext"] = {**known, **rest} or None
    for last, part in _CONTEXT_OF.items():
        if part in agreed or last in current:
            changes[last] = agreed.get(part)


def _agreed_context(entry: Entry) -> Entry:
    context = entry.get("deliveryContext")
    primary = clean_context({part: entry.get(last) for last, part in _CONTEXT_OF.items()})
    if "channel" not in primary:
        primary |= clean_context({"channel": entry.get("channel")})
    if "threadId" not in primary and context is None:
        # Only for entries that never had a context: a cleared thread id must stay cleared.
        origin = entry.get("origin")
        primary |= clean_context(
            {"threadId": origin.get("threadId") if isinstance(origin, dict) else None}
        )
    return merge_contexts(primary, clean_context(context))


def clean_context(context: Any) -> Entry:
    """The four known parts, trimmed (channel also lowercased); blank or odd ones left out."""
    if not isinstance(context, dict):
        return {}
    cleaned: Entry = {}
    for part in _CONTEXT_OF.values():
        value = context.get(part)
        if isinstance(value, str) and value.strip():
            cleaned[part] = value.strip().lower() if part == "channel" else value.strip()
        elif part == "threadId" and is_finite_number(value):
            cleaned[part] = math.trunc(value)
    return cleaned


def merge_contexts(primary: Entry, fallback: Entry) -> Entry:
    """``primary`` completed from ``fallback``, unless they are of different channels."""
    ours, theirs = primary.get("channel"), fallback.get("channel")
    if ours and theirs and ours != theirs:
        return primary
    whole = {**fallback, **primary}
    return {part: whole[part] for part in _CONTEXT_OF.values() if part in whole}


def settle_delivery(entry: Entry, changed: set[str]) -> Entry:
    """Make the side that a write changed the one that wins in :func:`normalise`.

    ``changed`` names the fields that the write set or removed.
    """
    lasts = changed & _CONTEXT_OF.keys()
    context = entry.get("deliveryContext")
    if "deliveryContext" in changed and not lasts:
        given = clean_context(context)
        return (
            merged(
                entry,
                {
                    last: given.get(part)
                    for last, part in _CONTEXT_OF.items()
                    if last in entry or given
                },
            )
            if given or context is None
            else entry
        )
    removed = {_CONTEXT_OF[last] for last in lasts if last not in entry}
    if removed and isinstance(context, dict):
        kept = {part: value for part, value in context.items() if part not in removed}
        return merged(entry, {"deliveryContext": kept})
    return entry


def route_update(
    entry: Entry,
    *,
    channel: str | None,
    to: str | None,
    account_id: str | None,
    thread_id: str | int | None,
    delivery_context: Entry | None,
) -> Entry:
    """The delivery fields after a message came in over this route (openclaw-format §4.5).

    A new channel or target without a thread id clears the old thread id; parts that are not
    given are kept, unless the channel changed.
    """
    explicit = clean_context(delivery_context)
    inline = clean_context(
        {"channel": channel, "to": to, "accountId": account_id, "threadId": thread_id}
    )
    given = merge_contexts(explicit, inline)
    previous = _agreed_context(entry)
    if given.keys() & {"channel", "to"} and "threadId" not in given:
        previous.pop("threadId", None)
    route = merge_contexts(given, previous)
    context = entry.get("deliveryContext")
    rest = context if isinstance(context, dict) else {}
    unknown = {n: v for n, v in rest.items() if n not in _CONTEXT_OF.values()}
    changes: Entry = {last: route.get(part) for last, part in _CONTEXT_OF.items()}
    changes["deliveryContext"] = {**route, **unknown} or None
    return merged(entry, changes)


def drop_stale_file(old: Entry | None, new: Entry) -> Entry:
    """A new ``sessionId`` never keeps the old ``sessionFile`` (PR 20188): it is derived then."""
    if old is None or "sessionFile" not in new or new.get("sessionId") == old.get("sessionId"):
        return new
    if not equal(new["sessionFile"], old.get("sessionFile")):
        return new
    return merged(new, {"sessionFile": None})


def stamp(entry: Entry, *, now_ms: int) -> Entry:
    """``updatedAt`` as given, or now where it is missing or no finite number."""
    if is_finite_number(entry.get("updatedAt")):
        return entry
    return {**entry, "updatedAt": now_ms}
