"""The stores that a command names: by agent, by path, or all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.utils.translation import gettext as _

from sessionstore.files import real_path

from .fleet import fleet
from .readers import Reader
from .tree import shown

_FOUND_S = 30.0


class UsageError(Exception):
    """The command names stores that are not there; the text says so."""


def chosen(agents: Sequence[str], stores: Sequence[str], *, everything: bool) -> list[Reader]:
    """The stores that are meant, each once.

    Raises:
        UsageError: one is not there.
    """
    scan = fleet().scan(budget_s=_FOUND_S)
    if scan.problem is not None:
        raise UsageError(f"{scan.problem.title}: {scan.problem.detail} {scan.problem.hint}")
    if everything:
        return list(scan.readers)
    found: dict[str, Reader] = {}
    for agent in agents:
        mine = [reader for reader in scan.readers if reader.paths.agent_id == agent]
        if not mine:
            raise UsageError(_("There is no agent %s with a store here.") % shown(agent))
        found.update({reader.id: reader for reader in mine})
    for path in stores:
        reader = next((r for r in scan.readers if _is_at(r, path)), None)
        if reader is None:
            said = _("%(path)s is no store below %(state)s; set SESSIONSTORE_STATE_DIR.")
            raise UsageError(said % {"path": shown(path), "state": scan.state_dir})
        found[reader.id] = reader
    return list(found.values())


def _is_at(reader: Reader, path: str) -> bool:
    """Whether a path names the store: its file, its directory layout, or the folder of both."""
    paths, meant = reader.paths, Path(real_path(path))
    folder = Path(real_path(paths.store_path.parent))
    names = {folder / paths.store_path.name, folder / paths.directory.name}
    return meant in names or (meant == folder and paths.store_path.name == "sessions.json")
