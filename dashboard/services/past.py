"""A session's past: its earlier incarnations, and the versions that operators' changes replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.utils.translation import gettext as _

from sessionstore.history import Incarnation
from sessionstore.kept import Version, read_version
from sessionstore.paths import StorePaths
from sessionstore.store import Store, open_store
from sessionstore.versions import versions

from .fleet import PAGE_BUDGET_S, fleet
from .problems import Problem, ProblemError, not_there
from .session import key_behind

Result = TypeVar("Result")

__all__ = ["Incarnation", "Version", "incarnations_of", "version_of", "versions_of"]


def incarnations_of(store_id: str, ref: str) -> list[Incarnation]:
    """What resets of this session replaced, oldest first. Texts are not masked.

    Raises:
        ProblemError: there is no such store or session, or it cannot be read.
    """
    key = key_behind(store_id, ref)
    return _read(store_id, lambda store: store.history(key))


def versions_of(store_id: str, ref: str) -> list[Version]:
    """What operators' changes of this session replaced, newest first. Nothing is masked.

    Raises:
        ProblemError: as :func:`incarnations_of`.
    """
    key = key_behind(store_id, ref)
    return _read(store_id, lambda store: versions(store, key))


def version_of(store_id: str, ref: str, version_id: str) -> Version:
    """One of the versions of this session. Nothing is masked.

    Raises:
        ProblemError: as :func:`incarnations_of`, or it is not kept any more.
    """
    key = key_behind(store_id, ref)
    version = _read(store_id, lambda store: read_version(store.paths, version_id))
    if version is None or version.key != key:
        raise not_there(
            _("The session has no version with this id, or no longer."),
            _("Versions are kept for a limited time and number; a backup may have it."),
        )
    return version


def _read(store_id: str, work: Callable[[Store], Result]) -> Result:
    def read(paths: StorePaths) -> Result:
        with open_store(paths.store_path) as store:
            return work(store)

    found = fleet().reader(store_id).read(read, budget_s=PAGE_BUDGET_S)
    if isinstance(found, Problem):
        raise ProblemError(found)
    return found
