"""The first sentence of a report: what was done, in one breath."""

from __future__ import annotations

from ..paths import StorePaths
from .fresh import Done


def sentence(done: Done, paths: StorePaths) -> str:
    """Say what a run ended in. Names are relative to the store's folder."""
    store, directory = paths.store_path.name, paths.directory.name
    match done.outcome:
        case "missing":
            words = f"There is nothing to migrate: no {store} and no older form beside it."
        case "skipped_empty":
            words = f"{store} holds no sessions and was left as it is."
        case "skipped_invalid":
            words = f"{store} holds nothing that can be taken over and was left as it is."
        case "already" if done.finished:
            words = f"The sessions are in {directory} already; an interrupted run was finished."
        case "already":
            words = f"The sessions are in {directory} already; nothing was left to take over."
        case "merged":
            words = (
                f"{sessions(done.taken)} newer than the directory's or new to it "
                f"{_was(done.taken)} merged into {directory}; {done.equal:,} "
                f"{_was(done.equal)} equal."
            )
        case "migrated" if done.in_place:
            words = f"{sessions(done.taken)} in {directory} {_was(done.taken)} taken over in place."
        case _:
            words = f"{sessions(done.taken)} {_was(done.taken)} moved to {directory} and read back."
    if done.blocked and done.outcome not in ("missing", "already"):
        words += f" {sessions(len(done.blocked))} could not be taken over and {_is(done)} listed."
    if done.kept is not None:
        words += f" The source is kept as {done.kept}."
    return words


def sessions(count: int) -> str:
    """``1 session``, ``2,000 sessions``."""
    return "1 session" if count == 1 else f"{count:,} sessions"


def rows(count: int) -> str:
    """``1 row``, ``2,000 rows``."""
    return "1 row" if count == 1 else f"{count:,} rows"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _is(done: Done) -> str:
    return "is" if len(done.blocked) == 1 else "are"
