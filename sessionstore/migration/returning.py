"""What goes back into ``sessions.json`` beside the sessions: rows that were never taken over.

A row of the source that no run could keep (no object, a bad key, too large) is nowhere but in the
kept source; an undo that left it out would lose it for programs of the JSON era.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import Finding, UnsafeFileError
from ..paths import StorePaths
from .jsonfile import is_strict, outline
from .sources.gathering import shown
from .sources.storefile import keys_of
from .taken import imports_of, read_taken
from .wording import rows as rows_in_words


class Returning(NamedTuple):
    """``rows`` is an :func:`~.jsonfile.outline` of the kept source; ``kept`` its name, if any."""

    rows: dict[str, bytes]
    kept: str = ""


def returning_rows(paths: StorePaths, marker: Mapping[str, Any]) -> Returning:
    """The rows of the last ``sessions.json`` that was migrated, for order and spelling too.

    Cost: that file and the lists of what was taken, read once.

    Raises:
        StoreIOError: one of them is there and cannot be read.
    """
    taken = read_taken(paths, marker)
    for row in reversed(imports_of(marker)):
        kept = row.get("kept")
        if row.get("sha256") and isinstance(kept, str) and "/" not in kept:
            try:
                return Returning(outline(keys_of(paths.store_path.with_name(kept)), taken), kept)
            except (FileNotFoundError, UnsafeFileError):
                continue  # moved away by somebody: then by key
    return Returning({})


def never_taken(returning: Returning) -> list[Finding]:
    """What to say about rows that were never taken over, before an undo."""
    names = [spelt for spelt, raw in returning.rows.items() if raw]
    left = [spelt for spelt in names if not is_strict(returning.rows[spelt])]
    found = []
    if len(names) > len(left):
        found.append(
            Finding(
                "never-taken",
                "info",
                None,
                returning.kept,
                f"{rows_in_words(len(names) - len(left))} of {returning.kept}, never taken over, "
                "would go back as found there",
                "",
            )
        )
    if left:
        found.append(
            Finding(
                "not-strict",
                "warning",
                None,
                returning.kept,
                f"{rows_in_words(len(left))} of {returning.kept}, never taken over, cannot be in "
                f"a file that every program reads (first: {shown(min(left))})",
                f"keep {returning.kept}: it is the only place that has them",
            )
        )
    return found
