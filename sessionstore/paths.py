"""Where stores are: one store's paths, and every store below a state directory.

Nothing here follows a link or leaves the state directory: what would is reported on the store
it belongs to (``StorePaths.problem``) and not opened. Sources: openclaw-format §1, PR 39991's
review findings (requirements D4, D5, D13, D14, D26).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any, Literal

import pyjson5

from . import entries
from .errors import Finding, SessionStoreError, StoreIOError, UnsupportedStoreError
from .files import SIDECAR_ROOT, link_target, list_names, read_file, real_path, status_of

Origin = Literal["default", "discovered", "configured"]

STORE_NAME = "sessions.json"
AGENT_PLACEHOLDER = "{agentId}"
SQLITE_NAME = "openclaw-agent.sqlite"
CONFIG_NAME = "openclaw.json"

_MAX_CONFIG_DEPTH = 100
_AGENT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.IGNORECASE | re.ASCII)
_NOT_AGENT_ID = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class StorePaths:
    """One store: its file, its directory layout, and our own folder beside them.

    ``agent_id`` is for display and None when the path does not tell. ``origin`` is ``default``
    for a configured agent's usual place, ``discovered`` for one found on disk only,
    ``configured`` for a path that somebody named. A store with a ``problem`` of severity
    ``error`` must not be opened.
    """

    agent_id: str | None
    store_path: Path
    directory: Path
    sidecar: Path
    origin: Origin
    problem: Finding | None = None


def store_paths(
    path: str | os.PathLike[str],
    *,
    origin: Origin = "configured",
    agent_id: str | None = None,
) -> StorePaths:
    """Paths of the store that ``path`` names: a store file, its directory, or a ``.d`` folder.

    Nothing needs to exist; one ``lstat`` at most.

    Raises:
        UnsupportedStoreError: a placeholder such as ``(multiple)`` or ``{agentId}`` was left in.
    """
    text = os.fspath(path)
    # What somebody wrote may be a template that nobody filled in; a folder that is there is not.
    is_template = AGENT_PLACEHOLDER in text or "(multiple)" in text
    if not text or "\0" in text or (is_template and origin == "configured"):
        raise UnsupportedStoreError(
            f"{text!r} is not the path of one store",
            path=text,
            hint="name the store file, its directory or its sessions.d",
        )
    store = _store_file(Path(os.path.abspath(text)))
    name = store.name.removesuffix(".json")
    return StorePaths(
        agent_id=agent_id or agent_id_of_path(str(store)),
        store_path=store,
        directory=store.with_name(f"{name}.d"),
        sidecar=store.parent / SIDECAR_ROOT / name,
        origin=origin,
    )


def _store_file(path: Path) -> Path:
    if path.suffix == ".json":
        return path  # also a guard directory, which stands for the store it guards
    if path.suffix == ".d":
        return path.with_suffix(".json")
    status = status_of(path)
    if status is not None and stat.S_ISREG(status.st_mode):
        raise UnsupportedStoreError(
            f"{path} is a file but not a .json file",
            path=path,
            hint="name a sessions.json",
        )
    return path / STORE_NAME


def agent_id_of_path(path: str) -> str | None:
    """The ``<id>`` of ``…/agents/<id>/sessions/<file>``, with either separator."""
    parts = PureWindowsPath(path).parts
    if len(parts) >= 4 and parts[-4].lower() == "agents" and parts[-2].lower() == "sessions":
        return parts[-3]
    return None


def normalise_agent_id(name: str) -> str | None:
    """An agent id as OpenClaw spells it (openclaw-format §1.5); None when nothing is left."""
    text = name.strip()
    if _AGENT_ID.fullmatch(text):
        return text.lower()
    cleaned = _NOT_AGENT_ID.sub("-", text.lower()).strip("-")[:64]
    return cleaned or None


def discover(
    state_dir: str | os.PathLike[str], *, store_template: str | None = None
) -> list[StorePaths]:
    """Every agent store below a state directory, sorted by agent; each real path once.

    Configured agents (``agents.list`` of ``openclaw.json``) are listed even before their store
    exists, and folders of agents that are no longer configured are listed too.
    ``store_template`` is a ``session.store`` setting: ``{agentId}`` is expanded for every
    configured and every discovered agent; it may lie outside the state directory because the
    caller names it. Reads names only: never opens a store.

    Raises:
        StoreIOError: the state directory cannot be listed. Trouble with one agent never raises.
        FileNotFoundError: there is no state directory.
    """
    root = Path(os.path.abspath(state_dir))
    list_names(root)
    configured = configured_agents(root)
    found = {paths.store_path: paths for paths in _default_stores(root, configured)}
    for paths in _templated_stores(root, store_template, configured):
        found.setdefault(paths.store_path, paths)
    return sorted(_each_once(found.values()), key=lambda p: (p.agent_id or "", str(p.store_path)))


def read_config(path: Path) -> dict[str, Any]:
    """A small JSON or JSON5 object of OpenClaw's (openclaw-format §1.1).

    Raises:
        FileNotFoundError: there is none.
        SessionStoreError: it cannot be read.
        NotAnEntryError: it is not one object.
    """
    content = read_file(path)
    try:
        return entries.decode(content)
    except entries.NotAnEntryError:
        pass  # its config is JSON5
    try:
        value = pyjson5.decode(content.decode("utf-8-sig"), maxdepth=_MAX_CONFIG_DEPTH)
    except (pyjson5.Json5Exception, ValueError, RecursionError) as error:
        raise entries.NotAnEntryError("is neither JSON nor JSON5") from error
    if not isinstance(value, dict):
        raise entries.NotAnEntryError("is not one object")
    return value


def configured_agents(state_dir: Path) -> tuple[str, ...]:
    """Agent ids that ``openclaw.json`` lists, in order; ``main`` when it lists none.

    A config that is missing or not strict JSON names no agent.
    """
    try:
        config = entries.decode(read_file(state_dir / CONFIG_NAME))
    except (FileNotFoundError, SessionStoreError, entries.NotAnEntryError):
        return ()
    agents = config.get("agents")
    if not isinstance(agents, dict):
        return ("main",)
    listed, keyed = agents.get("list"), agents.get("entries")
    rows = listed if isinstance(listed, list) else []
    ids = [row.get("id") for row in rows if isinstance(row, dict)]
    ids += keyed if isinstance(keyed, dict) else []
    names = [normalise_agent_id(name) for name in ids if isinstance(name, str)]
    return tuple(dict.fromkeys(name for name in names if name)) or ("main",)


def _default_stores(root: Path, configured: tuple[str, ...]) -> Iterator[StorePaths]:
    agents = root / "agents"
    if problem := _link_or_odd(agents):
        yield replace(_agent_store(agents, "agents", "discovered"), problem=problem)
        return
    try:
        names = list_names(agents)
    except FileNotFoundError:
        names = []
    except StoreIOError as error:
        yield replace(
            _agent_store(agents, "agents", "discovered"),
            problem=_unreadable(agents, error),
        )
        return
    for name in sorted({*names, *configured}):
        origin: Origin = "default" if normalise_agent_id(name) in configured else "discovered"
        paths = _agent_store(agents, name, origin)
        problem = _problem_of_agent(agents / name, paths)
        if problem is not _NOTHING_THERE or (origin == "default" and name in configured):
            yield replace(paths, problem=None if problem is _NOTHING_THERE else problem)


def _agent_store(agents: Path, name: str, origin: Origin) -> StorePaths:
    shown = normalise_agent_id(name) or name
    return store_paths(agents / name / "sessions" / STORE_NAME, origin=origin, agent_id=shown)


_NOTHING_THERE = Finding("no-store", "info", None, None, "there is no store here")


def _problem_of_agent(agent: Path, paths: StorePaths) -> Finding | None:
    """What keeps this agent's store from being opened; ``_NOTHING_THERE`` without a store."""
    sessions = paths.store_path.parent
    try:
        status = status_of(agent)
        if status is None or stat.S_ISREG(status.st_mode):
            return _NOTHING_THERE
        for path in (agent, sessions, paths.directory):
            if problem := _link_or_odd(path):
                return problem
        names = set(list_names(sessions)) if status_of(sessions) else set()
        if not names & {paths.store_path.name, paths.directory.name}:
            return _sqlite_instead(agent) or (None if names else _NOTHING_THERE)
        return _link_or_odd(paths.store_path, directories=True)
    except StoreIOError as error:
        return _unreadable(Path(error.path or sessions), error)


def _sqlite_instead(agent: Path) -> Finding | None:
    database = agent / "agent" / SQLITE_NAME
    if status_of(database) is None:
        return None
    return Finding(
        "sqlite-store",
        "info",
        None,
        str(database),
        "OpenClaw's SQLite database is there, where 2026.8 and later keep the sessions",
        "there is no file store; the database is read and never written",
    )


def _link_or_odd(path: Path, *, directories: bool = False) -> Finding | None:
    status = status_of(path)
    if status is None or stat.S_ISDIR(status.st_mode):
        return None
    if stat.S_ISLNK(status.st_mode):
        return Finding(
            "linked-path",
            "error",
            None,
            str(path),
            f"{path.name} is a symbolic link, which is not followed",
            f"it points to {link_target(path)}; put the real directory here, or name it as a store",
        )
    if directories and stat.S_ISREG(status.st_mode):
        return None
    return Finding(
        "odd-path",
        "error",
        None,
        str(path),
        f"{path.name} is neither a directory nor a store",
        "move it out of the way",
    )


def _unreadable(path: Path, error: StoreIOError) -> Finding:
    return Finding("unreadable", "error", None, str(path), error.message, error.hint)


def _templated_stores(
    root: Path,
    template: str | None,
    configured: tuple[str, ...],
) -> Iterator[StorePaths]:
    if template is None or not template.strip():
        return
    expanded = os.path.expanduser(template.strip())
    if not os.path.isabs(expanded):
        raise UnsupportedStoreError(
            f"the store template {template!r} is not an absolute path",
            path=template,
            hint="write it from / or from ~",
        )
    if AGENT_PLACEHOLDER not in expanded:
        yield _checked(store_paths(expanded, origin="configured"))
        return
    agents = {
        *configured,
        *(p.agent_id for p in _default_stores(root, configured) if p.agent_id),
    }
    for agent_id in sorted(agents | _agents_of_template(expanded)):
        path = expanded.replace(AGENT_PLACEHOLDER, agent_id)
        yield _checked(store_paths(path, origin="configured", agent_id=agent_id))


def _agents_of_template(template: str) -> set[str]:
    """Agents that already have a folder or file where the template puts its first placeholder."""
    head, _, tail = template.partition(AGENT_PLACEHOLDER)
    parent, prefix = os.path.split(head)
    suffix = tail.split(os.sep, 1)[0]
    try:
        names = list_names(parent or os.sep)
    except (FileNotFoundError, StoreIOError):
        return set()
    ids = (
        name[len(prefix) : len(name) - len(suffix)]
        for name in names
        if name.startswith(prefix) and name.endswith(suffix)
    )
    return {agent_id for agent_id in ids if normalise_agent_id(agent_id) == agent_id}


def _checked(paths: StorePaths) -> StorePaths:
    try:
        problem = _link_or_odd(paths.store_path.parent) or _link_or_odd(paths.directory)
        return replace(paths, problem=problem or _link_or_odd(paths.store_path, directories=True))
    except StoreIOError as error:
        return replace(paths, problem=_unreadable(paths.store_path, error))


def _each_once(stores: Iterable[StorePaths]) -> Iterator[StorePaths]:
    seen: set[str] = set()
    for paths in stores:
        if paths.problem is not None:
            yield paths  # not opened; a link to a store does not stand in its place either
            continue
        real = real_path(paths.store_path.parent) + os.sep + paths.store_path.name
        if real not in seen:
            yield paths
        seen.add(real)
