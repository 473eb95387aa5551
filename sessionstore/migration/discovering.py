"""Which stores of a state directory a migration would look at.

``paths.discover`` finds them: default places, agents that only the disk knows, the template of
a ``session.store`` setting for every agent of either kind (requirement D14), each real path once
(D13), links refused by name (D4), a folder's spelling kept as it is and normalised for display
only (B13). What a migration adds is the fence: it writes beside the store, so a store whose real
path is outside the state directory needs an explicit yes (D5).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..errors import Finding
from ..files import real_path
from ..paths import StorePaths, discover


def discover_migrations(
    state_dir: str | os.PathLike[str],
    *,
    store_template: str | None = None,
    allow_outside: bool = False,
) -> list[StorePaths]:
    """Every store that a run over this state directory concerns, sorted by agent, each once.

    One with a ``problem`` of severity ``error`` is refused: it is listed so that it is named, and
    must not be opened. ``allow_outside`` lets a store through whose real path is outside.

    Raises:
        FileNotFoundError: there is no state directory.
        StoreIOError: it cannot be listed.
        UnsupportedStoreError: the template is not an absolute path.
    """
    root = real_path(os.path.abspath(state_dir))
    stores = discover(state_dir, store_template=store_template)
    if allow_outside:
        return stores
    return [_fenced(paths, root) for paths in stores]


def _fenced(paths: StorePaths, root: str) -> StorePaths:
    if paths.problem is not None and paths.problem.severity == "error":
        return paths
    real = Path(real_path(paths.store_path.parent)) / paths.store_path.name
    if real.is_relative_to(root):
        return paths
    return replace(
        paths,
        problem=Finding(
            "outside-store",
            "error",
            None,
            str(paths.store_path),
            f"{real} is outside the state directory {root} and is not migrated",
            "allow stores outside of the state directory explicitly, if this path is meant",
        ),
    )
