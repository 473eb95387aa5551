"""What one field of an entry is: the shape of a row of the field table.

Kinds: ``text``, ``choice``, ``flag``, ``time`` (epoch ms), ``count``, ``tokens``,
``milliseconds``, ``cost``, ``id``, ``key`` (of another session), ``path``, ``group`` (an object
or a list).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

Text = str | Promise

LARGEST = 2**53 - 1
"""Whole numbers beyond it are rounded by every gateway (openclaw-interop, gotchas)."""
LATEST_MS = 8_640_000_000_000_000
"""The last moment that a JavaScript date can hold."""
LONGEST_TEXT = 512

KINDS: dict[str, Text] = {
    "text": lazy("text"),
    "choice": lazy("one of a few values"),
    "flag": lazy("true or false"),
    "time": lazy("time, in milliseconds since 1970"),
    "count": lazy("whole number"),
    "tokens": lazy("number of tokens"),
    "milliseconds": lazy("length of time in milliseconds"),
    "cost": lazy("amount in US dollars"),
    "id": lazy("name or id"),
    "key": lazy("key of another session"),
    "path": lazy("path of a file or folder"),
    "group": lazy("object or list"),
}
_WHOLE = frozenset({"time", "count", "tokens", "milliseconds"})
_TEXTS = frozenset({"text", "id", "key", "path"})


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """One value that a field may have, and what it does."""

    value: str | bool
    words: Text

    @property
    def text(self) -> str:
        """The value as a form writes it."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return self.value


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One known field.

    ``section`` is its place on the form, empty where operators cannot change it: ``why_not`` then
    says why. ``unset`` says what holds without it. ``caution`` and ``risk`` say what a change can
    do: on the form, and in raw JSON. ``follows`` names the field that it is written along with.
    ``types`` are JSON types that it may have instead of its kind's own.
    """

    name: str
    kind: str
    words: Text
    group: str = ""
    more: Text = ""
    choices: tuple[FieldChoice, ...] = ()
    least: int = 0
    most: int = LARGEST
    longest: int = LONGEST_TEXT
    types: tuple[str, ...] = ()
    pattern: str = ""
    section: str = ""
    unset: Text = ""
    why_not: Text = ""
    caution: Text = ""
    risk: Text = ""
    follows: str = ""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of a value that may be written."""
        if self.choices:
            return {"enum": [choice.value for choice in self.choices]}
        if self.kind == "flag":
            return {"type": "boolean"}
        if self.kind == "group":
            return {"type": list(self.types) or ["object", "array"]}
        if self.kind == "cost":
            return {"type": "number", "minimum": 0}
        if self.kind in _WHOLE:
            return {"type": "integer", "minimum": self.least, "maximum": self.most}
        schema: dict[str, Any] = {"type": list(self.types) or "string"}
        schema |= {"minLength": 1, "maxLength": self.longest}
        return schema | ({"pattern": self.pattern} if self.pattern else {})

    @property
    def expected(self) -> str:
        """One sentence: which values it may have."""
        if self.choices:
            return _("Expected is one of %s.") % ", ".join(c.text for c in self.choices)
        if self.kind == "flag":
            return _("Expected is true or false.")
        if self.kind == "group":
            return self._expected_group()
        if self.kind == "cost":
            return _("Expected is an amount from 0.")
        if self.kind in _WHOLE:
            return _("Expected is a whole number from %s.") % self.range
        if self.pattern:
            return _(
                "Expected are 1 to %d letters, digits, dots, underscores and dashes, "
                "the first a letter or digit."
            ) % (self.longest)
        if "integer" in self.types:
            return _("Expected is text, or a whole number.")
        return _("Expected is text of 1 to %d characters.") % self.longest

    def _expected_group(self) -> str:
        if self.types == ("object",):
            return _("Expected is an object.")
        return (
            _("Expected is a list.")
            if self.types == ("array",)
            else _("Expected is an object or a list.")
        )

    @property
    def range(self) -> str:
        """From where to where its number goes, and what it counts."""
        units = {
            "time": _("%(least)s to %(most)s, in milliseconds since 1970"),
            "milliseconds": _("%(least)s to %(most)s, in milliseconds"),
            "tokens": _("%(least)s to %(most)s, in tokens"),
        }
        words = units.get(self.kind, _("%(least)s to %(most)s"))
        return words % {"least": f"{self.least:,}", "most": f"{self.most:,}"}

    @property
    def is_text(self) -> bool:
        """Whether its values are text that may be anything."""
        return self.kind in _TEXTS and not self.choices

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.kind in _WHOLE
