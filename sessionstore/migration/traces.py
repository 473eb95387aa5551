"""What tells that an OpenClaw release uses a store: its gateway, its config, what it left behind.

Names and versions: openclaw-format §0 and §1.2, openclaw-interop "Locking: the facts". Looks at
names, and reads the config and one import report; never opens a store or a database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..entries import NotAnEntryError
from ..errors import SessionStoreError, StoreIOError
from ..files import list_names, status_of
from ..locks import GatewayInfo, gateway_running
from ..locks.gateway import state_directories_of
from ..paths import CONFIG_NAME, SQLITE_NAME, StorePaths, read_config

Era = Literal["locked", "unlocked", "sqlite"]
"""Up to 2026.4 (with a lock file), 2026.5.2 to 2026.7 (without), 2026.8.1 and later (SQLite)."""

CONFIG_NAMES = (CONFIG_NAME, "clawdbot.json", "moldbot.json", "moltbot.json")
_STATE_NAME = re.compile(r"\.(?:openclaw(?:-.+)?|clawdbot|moldbot|moltbot)")
_VERSION = re.compile(r"(20\d\d)\.(\d{1,2})\.\d{1,3}(?:[-+.][0-9A-Za-z.-]{1,20})?")
_UNLOCKED_TEMPORARY = re.compile(r"\.\d+\.[0-9a-f-]{36}\.tmp")
_LOCKED_TEMPORARY = re.compile(r"\.[0-9a-f-]{36}\.tmp")


@dataclass(slots=True)
class Traces:
    """``general`` says that OpenClaw is used here, ``by_era`` which releases; in sentences'
    halves. ``transcripts`` counts the ``.jsonl`` files beside the store. ``unreadable`` lists
    what could not be looked at, ``state_dir`` is None for a store outside any."""

    gateway: GatewayInfo | None = None
    state_dir: Path | None = None
    general: list[str] = field(default_factory=list)
    by_era: dict[Era, list[str]] = field(default_factory=dict)
    transcripts: int = 0
    directory_reader: str = ""
    unreadable: list[StoreIOError] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether anything of OpenClaw was found."""
        return bool(self.gateway or self.general or self.by_era)

    def add(self, era: Era, evidence: str) -> None:
        """Note evidence of the releases of one era."""
        self.by_era.setdefault(era, []).append(evidence)

    def of(self, era: Era) -> str:
        """The evidence for one era. What tells no era counts for every one that may be meant."""
        own = self.by_era.get(era, [])
        general = self.general if own or not self.by_era else []
        return "; ".join([*general, *own])


def find_traces(paths: StorePaths, *, gateway_lock_dir: Path | None = None) -> Traces:
    """Look around a store. A few directory listings; what cannot be read is noted, not raised."""
    found = Traces()
    states = state_directories_of(paths.store_path)
    found.state_dir = states[0] if states else None
    found.gateway = gateway_running(paths.store_path, lock_dir=gateway_lock_dir)
    if found.gateway is not None:
        _note_gateway(found, found.gateway)
    _note_beside(found, paths)
    for state in states:
        _note_state(found, state)
    agent = paths.store_path.parent.parent
    if agent.parent.name == "agents":
        _note_agent(found, agent)
    return found


def era_of(version: str) -> Era | None:
    """The era of a release such as ``2026.6.11``; None where the text is no release."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    release = int(match[1]), int(match[2])
    if release >= (2026, 8):
        return "sqlite"
    return "unlocked" if release >= (2026, 5) else "locked"


def _note_gateway(found: Traces, gateway: GatewayInfo) -> None:
    evidence = f"its gateway is running (pid {gateway.pid})"
    database = gateway.lock_path.name == "gateway.state.lock"
    eras: tuple[Era, ...] = ("sqlite",) if database else ("locked", "unlocked")
    for era in eras:
        found.add(era, evidence)


def _note_beside(found: Traces, paths: StorePaths) -> None:
    store = paths.store_path.name
    for name in _names(found, paths.store_path.parent):
        if name.endswith(".jsonl"):
            found.transcripts += 1
        elif name == "skills-prompts":
            found.add("unlocked", "a skills-prompts folder of 2026.5.28 or later is there")
        elif name == f"{paths.directory.name}.migrating":
            found.directory_reader = f"{name} is there, which its migration leaves behind"
        elif name.startswith(store):
            rest = name.removeprefix(store)
            if _UNLOCKED_TEMPORARY.fullmatch(rest):
                found.add("unlocked", "a temporary file of its writes is there")
            elif _LOCKED_TEMPORARY.fullmatch(rest):
                found.add("locked", "a temporary file of its writes is there")


def _note_state(found: Traces, state: Path) -> None:
    if _STATE_NAME.fullmatch(state.name):
        found.general.append(f"the state directory is called {state.name}")
    for name in CONFIG_NAMES:
        if _is_there(found, state / name):
            found.general.append(f"{name} is in the state directory")
            _note_config(found, state / name)
    for name in sorted(_names(found, state / "session-sqlite-migration-runs")):
        report = _json_of(state / "session-sqlite-migration-runs" / name)
        found.add("sqlite", "it has imported sessions into its database")
        _note_version(found, report.get("openClawVersion"), "an import report")
        break
    if _is_there(found, state / "state" / "openclaw.sqlite"):
        found.general.append("its database state/openclaw.sqlite is in the state directory")


def _note_config(found: Traces, path: Path) -> None:
    config = _json_of(path)
    meta = config.get("meta")
    if isinstance(meta, dict):
        _note_version(found, meta.get("lastTouchedVersion"), path.name)
    agents = config.get("agents")
    if isinstance(agents, dict) and isinstance(agents.get("entries"), dict):
        found.add("sqlite", f"{path.name} lists agents the way 2026.8 and later do")


def _note_agent(found: Traces, agent: Path) -> None:
    if _is_there(found, agent / "session-sqlite-import-archive"):
        found.add("sqlite", "it has moved older session files of this agent into an archive")
    if _is_there(found, agent / "agent" / SQLITE_NAME):
        evidence = f"this agent has a database {SQLITE_NAME}, which 2026.6 and later make"
        found.general.append(evidence)


def _note_version(found: Traces, version: object, source: str) -> None:
    era = era_of(version) if isinstance(version, str) else None
    if era is not None:
        found.add(era, f"{source} was written by {version}")


def _json_of(path: Path) -> dict[str, Any]:
    """A small JSON or JSON5 object of OpenClaw's; {} where it cannot be read as one."""
    try:
        return read_config(path)
    except (FileNotFoundError, SessionStoreError, NotAnEntryError):
        return {}


def _names(found: Traces, path: Path) -> list[str]:
    try:
        return list_names(path)
    except FileNotFoundError:
        return []
    except StoreIOError as error:
        found.unreadable.append(error)
        return []


def _is_there(found: Traces, path: Path) -> bool:
    try:
        return status_of(path) is not None
    except StoreIOError as error:
        found.unreadable.append(error)
        return False
