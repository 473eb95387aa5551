"""Where backups are: ``<root>/<agent>/<id>.tar.gz`` with ``<id>.json`` beside it."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from ..errors import UnsafeFileError
from ..files import SIDECAR_ROOT, real_path
from ..paths import StorePaths, agent_id_of_path, normalise_agent_id

FOLDER = "backups"
RUN_PREFIX = "backup-"
NEW_PREFIX = ".new-"
GONE_PREFIX = ".gone-"


def default_root(paths: StorePaths) -> Path:
    """``<state>/.sessionstore/backups`` of a store in an agent's usual place; of any other one
    the same beside the store."""
    store = paths.store_path
    home = store.parents[3] if agent_id_of_path(str(store)) is not None else store.parent
    return home / SIDECAR_ROOT / FOLDER


def check_root(paths: StorePaths, root: str | os.PathLike[str] | None) -> Path:
    """The folder where this store's backups go.

    Raises:
        UnsafeFileError: it is inside the store, where a swap of the directory or a sweep would
            take the backups along.
    """
    chosen = default_root(paths) if root is None else Path(os.path.abspath(root))
    real = Path(real_path(chosen))
    for place in (paths.directory, paths.sidecar):
        inside = Path(real_path(place))
        if real == inside or inside in real.parents:
            raise UnsafeFileError(
                f"{chosen} is inside the store, so backups cannot be kept there",
                path=chosen,
                hint="name a folder outside, best on another disk",
            )
    return chosen


def agent_folder(root: Path, agent_id: str | None) -> Path:
    """The folder of one agent's backups; ``_`` where the path tells no agent."""
    return root / (normalise_agent_id(agent_id or "") or "_")


def plain_text(text: str) -> str:
    """A text that UTF-8 can hold: bytes of file names that are none become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def new_id(now_ms: int) -> str:
    """``20261129T194102Z-1f09ab``: sorts by time, and two of one second differ."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
