"""A session's entry as it is on disk this moment, unmasked: for changes made from what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from sessionstore import entries
from sessionstore.errors import InvalidKeyError
from sessionstore.keys import check_key
from sessionstore.paths import StorePaths
from sessionstore.store import open_store

from .entry_tags import tag_of
from .fleet import fleet, page_budget_s
from .problems import Problem, ProblemError, not_there, problem_of
from .readers import refresh_all
from .refs import digest
from .session import key_behind


@dataclass(frozen=True, slots=True)
class EntryNow:
    """One entry and its etag. Key and entry are raw: mask them to show them; show the ``tag``."""

    key: str
    entry: dict[str, Any] = field(repr=False)
    etag: str = field(repr=False)
    tag: str


def entry_now(store_id: str, ref: str) -> EntryNow:
    """Read one entry.

    Raises:
        ProblemError: there is no such store or session, or it cannot be read.
    """
    key = key_behind(store_id, ref)

    def read(paths: StorePaths) -> dict[str, Any] | None:
        with open_store(paths.store_path) as store:
            return store.get(key)

    entry = fleet().reader(store_id).read(read, budget_s=page_budget_s())
    if isinstance(entry, Problem):
        raise ProblemError(entry)
    if entry is None:
        raise not_there(
            _("The session was in this store and has been deleted since."),
            _("Search the list of sessions; a reset session has a new entry."),
        )
    etag = entries.etag(entry)
    return EntryNow(key, entry, etag, tag_of(store_id, key, etag))


def ref_of_key(store_id: str, key: str) -> str:
    """The id in addresses that a session with this key has; the key is folded first.

    Whether there is one is for whoever looks it up: what is asked for is not remembered.

    Raises:
        ProblemError: it cannot be a key (status 400), or there is no such store.
    """
    reader = fleet().reader(store_id)
    try:
        folded = check_key(key)
    except InvalidKeyError as error:
        raise ProblemError(problem_of(error)) from error
    refresh_all([reader], budget_s=page_budget_s())
    return digest(folded) if reader.row(folded) is None else reader.refs.of(folded)
