"""Parameters of lists: the filters of the session list's form, and pages."""

from __future__ import annotations

from typing import Any

from dashboard.forms import PAGE_SIZES
from dashboard.services.stores import SORTS as STORE_SORTS
from dashboard.services.vocabulary import FLAGS, KINDS, SORTS

from .checking import Parameter
from .schema_parts import REASON, STORE_ID

LAST_PAGE = 10_000_000


def _words(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


def _several(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "maxItems": 100}


def _either_way(names: Any) -> dict[str, Any]:
    return _words(*(sign + name for name in names for sign in ("", "-")))


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest, "pattern": "^[^\\u0000]*$"}


_YES_OR_NO = _words("yes", "no")
_MOMENT = {
    "type": "string",
    "maxLength": 40,
    "anyOf": [
        {"format": "date"},
        {"format": "date-time"},
        {"pattern": "^[0-9]{1,6} ?(min|h|d|w)$"},
    ],
    "examples": ["2026-11-20", "2026-11-20T14:30Z", "7d"],
}
_SIZE = {
    "type": "string",
    "pattern": "^[0-9]{1,12}(\\.[0-9]{1,3})? ?([bB]|[kKmMgG]([iI]?[bB])?)?$",
    "examples": ["64KiB", "1.5m", "5000"],
}

PAGING = (
    Parameter(
        "page",
        "Which page; one beyond the last is empty.",
        {"type": "integer", "minimum": 1, "maximum": LAST_PAGE, "default": 1},
    ),
    Parameter(
        "per", "Rows per page.", {"enum": list(PAGE_SIZES), "type": "integer", "default": 50}
    ),
)
STORE_ORDER = Parameter(
    "sort", "The order; `-` turns it round.", _either_way(STORE_SORTS) | {"default": "agent"}
)
SESSION_FILTERS = (
    Parameter("q", "Text in key, name or session id.", _text(200)),
    Parameter("key", "Pattern of the key, in which `*` is any text.", _text(400)),
    Parameter("kind", "Kinds of session.", _several(_words(*KINDS))),
    Parameter("channel", "Channels.", _several(_text(200))),
    Parameter("status", "What the entry says that it is doing.", _several(_text(200))),
    Parameter("flag", "Notes on the row.", _several(_words(*FLAGS))),
    Parameter("overrides", "Has a model override.", _YES_OR_NO),
    Parameter("damaged", "Cannot be read.", _YES_OR_NO),
    Parameter("locked", "Is held by a writer right now.", _words("yes")),
    Parameter(
        "after", "Updated after this: a date, a time (UTC if it names no zone), an age.", _MOMENT
    ),
    Parameter("before", "Updated before this.", _MOMENT),
    Parameter("over", "Larger than this many bytes.", _SIZE),
    Parameter("machine", "With sessions that nobody talks in.", _YES_OR_NO),
    Parameter(
        "sort", "The order; `-` turns it round.", _either_way(SORTS) | {"default": "-updated"}
    ),
)
AGENT = Parameter("agent", "Agents.", _several(_text(200)))
EXACT_KEY = Parameter(
    "key", "The whole key; it is folded as everywhere.", {"type": "string"}, is_required=True
)
OF_STORE = Parameter("store_id", "Only those of this store.", STORE_ID)
WHY = Parameter("reason", "Why, for the audit.", REASON)
KEEP_TRANSCRIPT = Parameter(
    "archive_transcript",
    "Whether its transcript is set aside as OpenClaw does it.",
    _YES_OR_NO | {"default": "yes"},
)
