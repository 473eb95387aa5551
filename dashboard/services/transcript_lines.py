"""Lines of a transcript in words: who spoke, what they said, what a line of its kind tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.transcripts import Line

from .transcript_texts import Budget, masked_value, text_of

_LONGEST_WORD = 200


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a line. ``kind``: text, thinking, call, result, image or json."""

    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One line, masked. ``state`` is that of :class:`sessionstore.transcripts.Line`.

    ``who`` is user, assistant, tool or other, for its look; ``at_ms`` None where the line has no
    time that can be read. ``facts`` are label and value. ``problem`` says why there is no text.
    """

    start: int
    size_bytes: int
    state: str
    who: str
    title: str
    at_ms: int | None
    id: str
    parts: tuple[Part, ...]
    facts: tuple[tuple[str, str], ...]
    problem: str


def shown_lines(lines: Sequence[Line], *, names_parents: bool) -> tuple[ShownLine, ...]:
    """The lines of one page, with one budget of text, which the newest lines use first.

    ``names_parents``: say of each line which one it follows; on one branch that is the one above.
    """
    budget = Budget()
    facts = (*_OF_LINE, "parentId") if names_parents else _OF_LINE
    return tuple(_shown(line, budget, facts) for line in reversed(lines))[::-1]


def _shown(line: Line, budget: Budget, facts: tuple[str, ...]) -> ShownLine:
    value: dict[str, Any] = {}
    if line.value is not None:
        value = masked_value(line.value, budget)
    message = value.get("message")
    role = message.get("role") if isinstance(message, dict) else None
    who, title = _title(value, role) if line.value is not None else ("other", _odd_title(line))
    return ShownLine(
        start=line.start,
        size_bytes=line.end - line.start,
        state=line.state,
        who=who,
        title=title,
        at_ms=_time(value),
        id=_word(value.get("id")),
        parts=tuple(_parts(value)),
        facts=tuple(_facts(value, facts)),
        problem=text_of(line.problem)[:_LONGEST_WORD],
    )


def _odd_title(line: Line) -> str:
    return {
        "damaged": _("Damaged line, not shown"),
        "long": _("Line too long to show"),
        "part": _("Part of a line too long to show"),
        "unfinished": _("Unfinished line; it is being written, or was cut off"),
        "blank": _("Empty line"),
    }.get(line.state, line.state)


def _title(value: dict[str, Any], role: Any) -> tuple[str, str]:
    kind = _word(value.get("type")) or _("line without a type")
    if kind == "message":
        words = {
            "user": ("user", _("User")),
            "assistant": ("assistant", _("Assistant")),
            "toolResult": ("tool", _("Tool result")),
        }
        spoken = words.get(role) if isinstance(role, str) else None
        return spoken or ("other", _("Message of %s") % (_word(role) or "?"))
    titles = {
        "session": _("Header"),
        "custom_message": _("Message of an extension"),
        "custom": _("State of an extension"),
        "compaction": _("Compaction: what was before is summed up"),
        "branch_summary": _("Summary of a branch that was left"),
        "model_change": _("Model changed"),
        "thinking_level_change": _("Thinking level changed"),
        "session_info": _("Name of the session"),
        "label": _("Label"),
        "reset": _("Reset"),
    }
    return "other", titles.get(kind, kind)


_OF_MESSAGE = ("model", "provider", "stopReason", "errorMessage", "toolName", "isError")
_OF_LINE = (
    *("version", "cwd", "parentSession", "customType", "firstKeptEntryId", "tokensBefore"),
    *("fromId", "provider", "modelId", "thinkingLevel", "name", "label", "targetId"),
)


def _facts(value: dict[str, Any], of_line: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    message = value.get("message")
    for names, group in ((of_line, value), (_OF_MESSAGE, message)):
        if isinstance(group, dict):
            for name in names:
                item = group.get(name)
                if isinstance(item, str | int | float) and item not in ("", False):
                    yield name, _word(item)
    usage = message.get("usage") if isinstance(message, dict) else None
    total = usage.get("totalTokens") if isinstance(usage, dict) else None
    if isinstance(total, int) and total:
        yield "totalTokens", _word(total)


def _parts(value: dict[str, Any]) -> Iterable[Part]:
    message = value.get("message")
    group = message if isinstance(message, dict) else value
    is_result = group.get("role") == "toolResult"
    content = group.get("content")
    if isinstance(content, str) and content:
        yield Part("result" if is_result else "text", "", text_of(content))
    elif isinstance(content, list):
        for block in content:
            yield _block(block, is_result=is_result)
    for name in ("summary", "data", "details"):
        if (item := value.get(name)) not in (None, ""):
            yield Part("text" if isinstance(item, str) else "json", name, text_of(item))
    if value and "type" not in value:
        yield Part("json", "", text_of(value))


def _block(block: Any, *, is_result: bool) -> Part:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "text" and isinstance(block.get("text"), str):
        return Part("result" if is_result else "text", "", text_of(block["text"]))
    if kind == "thinking" and isinstance(block.get("thinking"), str):
        return Part("thinking", _("Thinking"), text_of(block["thinking"]))
    if kind == "toolCall":
        title = _("Calls %s") % (_word(block.get("name")) or "?")
        return Part("call", title, text_of(block.get("arguments", {})))
    if kind == "image":
        return Part("image", _("Image, not shown"), _word(block.get("mimeType")))
    return Part("json", _word(kind), text_of(block))


def _time(value: dict[str, Any]) -> int | None:
    said = value.get("timestamp")
    if isinstance(said, str):
        try:
            return round(datetime.fromisoformat(said).timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 10**14:
        return said
    return None


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "" if value is None else text_of(value)[:_LONGEST_WORD]
