"""What a comparison gives: forms, and one row for each session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ..errors import Finding

FormName = Literal["legacy", "directory", "sqlite"]
FORMS: Final[tuple[FormName, ...]] = ("legacy", "directory", "sqlite")

Outcome = Literal[
    "equal", "differs", "partly", "only-legacy", "only-directory", "only-sqlite", "damaged"
]
"""``equal``: in every form, and the same. ``differs``: in several, and not the same. ``partly``:
the same in two of three. ``only-…``: in one. ``damaged``: in one of them it cannot be read."""

OUTCOMES: Final[tuple[Outcome, ...]] = (
    *("differs", "damaged", "only-legacy", "only-directory", "only-sqlite"),
    *("partly", "equal"),
)


@dataclass(frozen=True, slots=True)
class Form:
    """One form of the store. ``sessions`` counts sound entries; ``bytes`` is of entries.

    ``counts``: it is the one that is read and written here. ``problem`` says why it could not be
    read as a whole; then it is left out of the comparison. ``version`` is the database's form.
    """

    name: FormName
    path: Path
    is_there: bool
    counts: bool = False
    sessions: int = 0
    bytes: int = 0
    damaged: int = 0
    version: int | None = None
    problem: Finding | None = None

    @property
    def is_compared(self) -> bool:
        """Whether its sessions are in the rows."""
        return self.is_there and self.problem is None


@dataclass(frozen=True, slots=True)
class Compared:
    """One session. ``forms`` are those that have it, sound or not.

    ``fields`` are top-level fields that are not the same in all of them, at most 100;
    ``more_fields`` how many others there are. Both are empty too for a session beyond the first
    few of a directory that another program wrote, which takes a scan for each.
    """

    key: str
    outcome: Outcome
    forms: tuple[FormName, ...]
    damaged: tuple[FormName, ...] = ()
    fields: tuple[str, ...] = ()
    more_fields: int = 0
    updated_at_ms: Mapping[FormName, int | None] | None = None
    """Of each form that has it, where it is not the same."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole. ``rows`` are sorted by key; ``findings`` are what is wrong in single forms."""

    forms: tuple[Form, ...]
    rows: tuple[Compared, ...]
    findings: tuple[Finding, ...]
    took_s: float

    @property
    def compared(self) -> tuple[Form, ...]:
        """The forms that are there and could be read."""
        return tuple(form for form in self.forms if form.is_compared)

    @property
    def counts(self) -> dict[Outcome, int]:
        """Sessions by outcome, the ones to look at first; outcomes that none has are left out."""
        counted = Counter(row.outcome for row in self.rows)
        return {outcome: counted[outcome] for outcome in OUTCOMES if counted[outcome]}

    @property
    def is_alike(self) -> bool:
        """Whether every session is the same in all forms that are there, of which are several."""
        return len(self.compared) > 1 and not set(self.counts) - {"equal"}
