"""A session's earlier incarnations: what resets replaced."""

from __future__ import annotations

from sessionstore.history import Incarnation
from sessionstore.paths import StorePaths
from sessionstore.store import open_store

from .fleet import fleet, page_budget_s
from .problems import Problem, ProblemError
from .session import key_behind

__all__ = ["Incarnation", "incarnations_of"]


def incarnations_of(store_id: str, ref: str) -> list[Incarnation]:
    """What resets of this session replaced, oldest first. Texts are not masked.

    Raises:
        ProblemError: there is no such store or session, or it cannot be read.
    """
    key = key_behind(store_id, ref)

    def read(paths: StorePaths) -> list[Incarnation]:
        with open_store(paths.store_path) as store:
            return store.history(key)

    found = fleet().reader(store_id).read(read, budget_s=page_budget_s())
    if isinstance(found, Problem):
        raise ProblemError(found)
    return found
