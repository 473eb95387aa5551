"""The backups that there are, and which store each is of, within the agent scope.

A sidecar is text that anybody with the disk can write. Whose backup it is goes by the folder that
it is in, so that no sidecar can show itself to somebody who may not see that agent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from dashboard import scope
from sessionstore.backup import Backup, list_backups
from sessionstore.backup.places import agent_folder
from sessionstore.errors import SessionStoreError

from .backup_places import root_of, usual_root
from .fleet import fleet, page_budget_s
from .problems import Problem, ProblemError, not_there, problem_of
from .readers import Reader
from .tree import shown


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup and the store that it is of; None where that is not there any more."""

    backup: Backup
    reader: Reader | None

    @property
    def name(self) -> str:
        """What to call the store in a sentence."""
        return self.reader.name if self.reader else shown(self.backup.path.parent.name)

    @property
    def store_id(self) -> str:
        """The store's id for jobs; empty where there is none."""
        return self.reader.id if self.reader else ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What one look at the folders gave, newest first. ``problems`` are of folders."""

    kept: tuple[Kept, ...]
    problems: tuple[Problem, ...] = ()

    def of_store(self, store_id: str) -> tuple[Kept, ...]:
        """Those of one store."""
        return tuple(one for one in self.kept if one.reader and one.reader.id == store_id)


def catalogue(*, budget_s: float | None = None) -> Catalogue:
    """Every backup that may be seen. Opens sidecars only."""
    budget_s = page_budget_s() if budget_s is None else budget_s
    with scope.limited_to(None):
        readers = fleet().scan(budget_s=budget_s).readers
    found: list[Backup] = []
    problems: list[Problem] = []
    for root, reader in _roots(readers).items():
        listed = _listed(root, reader, budget_s)
        if isinstance(listed, Problem):
            problems.append(listed)
        else:
            found.extend(listed)
    found.sort(key=lambda one: (one.created_ms, one.id), reverse=True)
    kept = (Kept(backup, owner_of(backup, readers)) for backup in found)
    return Catalogue(tuple(one for one in kept if _is_visible(one)), tuple(problems))


def _roots(readers: Iterable[Reader]) -> dict[Path, Reader | None]:
    """Each folder once, with a store in whose thread it may be read."""
    roots: dict[Path, Reader | None] = {}
    for reader in readers:
        roots.setdefault(root_of(reader.paths), reader)
    usual = usual_root()
    if usual is not None:
        roots.setdefault(usual, None)
    return roots


def _listed(root: Path, reader: Reader | None, budget_s: float) -> list[Backup] | Problem:
    if reader is not None:
        return reader.read(lambda _paths: list_backups(root), budget_s=budget_s)
    try:
        return list_backups(root)
    except SessionStoreError as error:
        return problem_of(error)


def owner_of(backup: Backup, readers: Sequence[Reader]) -> Reader | None:
    """The store that a backup is of, by its folder, and by what it says among several there."""
    folder = backup.path.parent
    there = [r for r in readers if agent_folder(root_of(r.paths), r.paths.agent_id) == folder]
    same = [r for r in there if str(r.paths.store_path) == backup.store_path]
    if same:
        return same[0]
    return there[0] if len(there) == 1 and there[0].paths.agent_id is not None else None


def _is_visible(one: Kept) -> bool:
    return scope.current() is None if one.reader is None else scope.allows(one.reader.agent)


def find_backup(backup_id: str, *, budget_s: float | None = None) -> Kept:
    """One backup.

    Raises:
        ProblemError: there is none of this id, it may not be seen, or there are two.
    """
    listed = catalogue(budget_s=budget_s)
    found = [one for one in listed.kept if one.backup.id == backup_id]
    if len(found) > 1:
        raise ProblemError(
            Problem(
                _("Two backups have this id"),
                _("They are in two folders; one of them is not where it was written."),
                _("Look at the folders of backups and move one of them away."),
                409,
            )
        )
    if not found:
        if listed.problems:
            raise ProblemError(listed.problems[0])
        raise not_there(
            _("There is no backup with this id, or not any more."),
            _("Open the list of backups and choose one that is there."),
        )
    return found[0]
