"""Where an entry's ``sessionFile`` may lead (openclaw-format §6.4): judged, never followed blindly.

Nothing here raises for what an entry says (A6), and no path that is given back lies outside the
sessions folder of an agent of the same state directory. What a value names elsewhere has a
reason instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import SessionStoreError
from ..files import real_path
from ..paths import StorePaths

Reach = Literal["", "inside", "other-agent", "moved"]
BadPath = Literal["", "not-text", "no-name", "outside", "a-folder", "too-long"]

_LONGEST_BYTES = 4096  # PATH_MAX
_LONGEST_NAME_BYTES = 255
_STRUCTURE = re.compile(r"(?:.*/)?agents/([^/]+)/sessions/([^/]+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Named:
    """What a ``sessionFile`` means. ``path`` is None where it may not be followed; then ``bad``.

    ``reach``: ``inside`` the store's folder; the folder of an ``other-agent``; ``moved``: the
    value has the structure ``…/agents/<id>/sessions/<file>`` of another place, as after a state
    directory was moved or mounted elsewhere, and ``path`` is the same file of this one.
    """

    path: Path | None
    reach: Reach = ""
    bad: BadPath = ""


def judge(
    paths: StorePaths, value: object, *, may_look_at: Callable[[str], bool] = lambda agent: True
) -> Named | None:
    """Where a ``sessionFile`` leads; None where there is none. A few ``lstat`` calls of parents.

    ``may_look_at`` refuses agents by name: their files count as outside, there or not.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return Named(None, bad="not-text")
    named = value.strip()
    if not named:
        return None
    if (bad := _impossible(named)) != "":
        return Named(None, bad=bad)
    try:
        return _placed(paths.store_path.parent, named, may_look_at)
    except (SessionStoreError, OSError, ValueError):
        # A loop of links, a name that this file system cannot hold: it leads nowhere of ours.
        return Named(None, bad="outside")


def _impossible(named: str) -> BadPath:
    if "\0" in named:
        return "outside"
    try:
        encoded = os.fsencode(named)
    except UnicodeEncodeError:  # JSON can hold half a surrogate pair, no name can
        return "no-name"
    if len(encoded) > _LONGEST_BYTES or any(
        len(part) > _LONGEST_NAME_BYTES for part in encoded.split(b"/")
    ):
        return "too-long"
    return "a-folder" if named.endswith("/") else ""


def _placed(directory: Path, named: str, may_look_at: Callable[[str], bool]) -> Named:
    place = Path(os.path.normpath(directory / named))
    home = Path(real_path(directory))
    real = Path(real_path(place.parent)) / place.name
    if real.is_relative_to(home) and real != home:
        return Named(place, "inside")
    if _is_of_sibling(home, real):
        if may_look_at(real.parent.parent.name):
            return Named(place, "other-agent")
        return Named(None, bad="outside")
    moved = _rebased(directory, home, named, may_look_at) if os.path.isabs(named) else None
    return Named(None, bad="outside") if moved is None else Named(moved, "moved")


def _is_of_sibling(home: Path, real: Path) -> bool:
    """Whether it is one file directly under ``agents/<id>/sessions`` of the same state."""
    agents = home.parent.parent
    return (
        home.name == "sessions"
        and agents.name == "agents"
        and real.parent.name == "sessions"
        and real.parent.parent.parent == agents
    )


def _rebased(
    directory: Path, home: Path, named: str, may_look_at: Callable[[str], bool]
) -> Path | None:
    """The same agent's file of the same name in this state directory.

    OpenClaw takes such a value as it stands; that would lead out of what the console may read.
    """
    found = _STRUCTURE.fullmatch(os.path.normpath(named))
    agents = home.parent.parent
    if found is None or home.name != "sessions" or agents.name != "agents":
        return None
    agent, name = found.groups()
    if agent == home.parent.name:
        return directory / name
    sessions = agents / agent / "sessions"
    if Path(real_path(sessions)) != sessions or not may_look_at(agent):
        return None
    return sessions / name
