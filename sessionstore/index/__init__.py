"""The list index: pages, filters, facets and figures of one store's sessions, from memory.

Page 1 of 100,000 sessions is a slice; a refresh reads what changed and nothing else; a damaged
or awkward file is a row that says what is wrong with it. Nothing here writes to a store: the
index keeps one summary of its own in the sidecar for a fast start, and works without it.
"""

from .kinds import KINDS, MACHINE_KINDS
from .live import Index
from .rows import (
    FACETS,
    FLAGS,
    NO_KEY_PREFIX,
    SORTS,
    Page,
    Query,
    Refreshed,
    Row,
    Summary,
    Traits,
)

__all__ = [
    "FACETS",
    "FLAGS",
    "KINDS",
    "MACHINE_KINDS",
    "NO_KEY_PREFIX",
    "SORTS",
    "Index",
    "Page",
    "Query",
    "Refreshed",
    "Row",
    "Summary",
    "Traits",
]
