"""Text of a transcript as it may be shown: bounded, masked, nothing disguised.

A long text is cut before it is masked, since masking costs by its length. What the cut could
have left of a secret, too short to be told as one, is cut off with it.
"""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.entries import redact

from .tree import visible

LONGEST = 8_000
"""Characters of one text that are shown."""

PAGE_CHARACTERS = 300_000
"""Characters of one page; after these, texts are cut to :data:`SHORT`."""

SHORT = 200
_MARGIN = 4_096
_DEEPEST = 12
_MOST_MEMBERS = 100


class Budget:
    """How many characters a page may still show."""

    def __init__(self) -> None:
        self.left = PAGE_CHARACTERS

    @property
    def longest(self) -> int:
        """How long the next text may be."""
        return LONGEST if self.left > 0 else SHORT


def masked_value(value: Any, budget: Budget) -> Any:
    """A JSON value of a transcript, masked by names and forms, cut in length, number and depth."""
    return redact(_cut(value, budget, 0))


def text_of(value: Any) -> str:
    """A masked value as text that disguises nothing: texts as they are, the rest as JSON."""
    if isinstance(value, str):
        return visible(value)
    return visible(json.dumps(value, ensure_ascii=False, indent=1))


def _cut(value: Any, budget: Budget, depth: int) -> Any:
    if isinstance(value, str):
        return _cut_text(value, budget)
    if not isinstance(value, dict | list):
        return _number(value)
    if depth >= _DEEPEST:
        return _("… nested too deep to show")
    left_out = len(value) - _MOST_MEMBERS
    if isinstance(value, list):
        items = [_cut(item, budget, depth + 1) for item in value[:_MOST_MEMBERS]]
        return [*items, _more(left_out)] if left_out > 0 else items
    members = list(value.items())[:_MOST_MEMBERS]
    cut = {_cut_text(name, budget): _cut(item, budget, depth + 1) for name, item in members}
    return {**cut, "…": _more(left_out)} if left_out > 0 else cut


def _cut_text(text: str, budget: Budget) -> str:
    longest = budget.longest
    budget.left -= min(len(text), longest)
    if len(text) <= longest:
        return text
    masked = redact(text[: longest + _MARGIN])
    # A secret that the cut went through may be too short now to be told: it is in this last part.
    safe = masked if len(text) <= longest + _MARGIN else masked[: max(0, len(masked) - _MARGIN)]
    said = _("… cut: %s characters in all") % f"{len(text):,}"
    return f"{safe[:longest]}\n{said}"


def _number(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 4000:
        return _("a whole number of %s bits") % f"{value.bit_length():,}"
    return value


def _more(count: int) -> str:
    return _("… and %s more") % f"{count:,}"
