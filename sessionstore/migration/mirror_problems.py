"""What keeps a mirror from being kept up, in words."""

from __future__ import annotations

import stat

from ..errors import ConflictError, Finding, UnsupportedStoreError
from ..files import status_of
from ..mirrorfile import FOREIGN_CHANGE, MirrorState
from ..paths import StorePaths

STOPPING = frozenset([FOREIGN_CHANGE, "mirror-state-damaged"])
"""Problems that end mirroring until a person decides."""


def is_directory(paths: StorePaths) -> bool:
    """Whether a directory stands at the copy's path: a guard, or something odd."""
    status = status_of(paths.store_path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_stopped(state: MirrorState) -> bool:
    """Whether mirroring has ended until a person decides."""
    return state.problem is not None and state.problem.rule in STOPPING


def guarded(paths: StorePaths) -> Finding:
    """The finding for a directory at the copy's path."""
    name = paths.store_path.name
    return Finding(
        "mirror-guarded",
        "error",
        None,
        str(paths.store_path),
        f"{name} is a guard, which keeps programs of the old form out; a mirror lets them read",
        f"decide for one of the two: switch the mirror off, or remove the folder {name}",
    )


def refuse_guarded(paths: StorePaths) -> UnsupportedStoreError:
    """The refusal for a directory at the copy's path."""
    found = guarded(paths)
    return UnsupportedStoreError(found.message, path=paths.store_path, hint=found.hint)


def refuse_foreign(paths: StorePaths) -> ConflictError:
    """The refusal to touch a file that is not the copy."""
    return ConflictError(
        f"{paths.store_path.name} was not written by the mirror of this store; it was not touched",
        path=paths.store_path,
        hint="look at what it holds, then set it aside",
    )


def mirror_off(paths: StorePaths) -> Finding:
    """What a migration says that found a mirror switched on whose directory was gone."""
    return Finding(
        "mirror-off",
        "info",
        None,
        paths.store_path.name,
        f"{paths.store_path.name} was the store itself, so its mirror is switched off now",
        "switch it on again if a program needs the copy",
    )


def no_directory(paths: StorePaths) -> Finding:
    """The finding for a mirror whose directory is gone, as after a rollback."""
    return Finding(
        "mirror-no-directory",
        "warning",
        None,
        str(paths.directory),
        f"there is no adopted {paths.directory.name} to copy",
        "switch the mirror off; after a rollback the sessions are in "
        f"{paths.store_path.name} itself",
    )
