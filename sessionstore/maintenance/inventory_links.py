"""Which transcripts and sidecars belong to which sessions, in OpenClaw's order of looking.

``sessionFile`` where it may be followed (last where its name is another session's), the file of
the thread, ``<sessionId>.jsonl``, a fork of that id (openclaw-format §6.4). What
``EntryFacts.odd["sessionFile"]`` says:

``missing``
    it names a file that is not there, and another one counts.
``other-id``
    its name is another session's, or there is a transcript of the session's own id as well.
``other-agent``, ``elsewhere``
    it has the form of a transcript of another agent, or of this one in another state directory.
``outside``, ``nul``
    it leads out of where transcripts may be, or is no path; it is never followed.
``a-folder``, ``too-long``, ``no-name``
    it is no name that a file can have.
``not-text``
    it is no text.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import SessionStoreError
from ..files import real_path, status_of
from ..paths import StorePaths, agent_id_of_path, normalise_agent_id
from ..transcripts import PRIMARY_KINDS, Named, classify, derived_names, judge
from .shapes import EntryFacts, FileFacts

_OWN = PRIMARY_KINDS | {"checkpoint", "trajectory", "trajectory-pointer"}
# Only ids of this form are told apart from names that somebody chose, as OpenClaw does.
_GENERATED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

MayLook = Callable[[str], bool]


class Linker:
    """Ties entries to files. ``files`` and ``named`` are by name in the store's folder."""

    def __init__(
        self,
        paths: StorePaths,
        files: Mapping[str, FileFacts],
        named: Mapping[str, Named],
        may_look_at: MayLook,
    ) -> None:
        self._paths = paths
        self._files = files
        self._named = named
        self._may_look_at = may_look_at
        home = str(paths.store_path.parent)
        self._folder = paths.store_path.parent
        self._homes = {home, real_path(home)}
        self.keys_of: defaultdict[str, list[str]] = defaultdict(list)
        self._by_id: defaultdict[str, list[str]] = defaultdict(list)
        for name, each in named.items():
            if each.kind in _OWN:
                for session_id in self._ids_of(name, each):
                    self._by_id[session_id].append(name)

    @staticmethod
    def _ids_of(name: str, named: Named) -> set[str]:
        """The id in the name; the whole name may be an id as well, whatever it looks like."""
        ids = {named.session_id, name.removesuffix(".jsonl")}
        return {one for one in ids if one}

    def link(self, facts: EntryFacts) -> EntryFacts:
        """The facts with what belongs to the session, noted in ``keys_of`` too."""
        session_id = facts.session_id if "sessionId" not in facts.odd else None
        derived = derived_names(facts.key, {"sessionId": session_id})
        named, word = self._named_file(facts)
        is_last = word == "other-id"
        candidates = [*derived, named] if is_last else [named, *derived]
        transcript = next((one for one in candidates if one and self._is_there(one)), "")
        own = set(self._by_id.get(session_id, ())) if session_id else set()
        if not transcript:
            forks = (name for name in own if self._named[name].kind in PRIMARY_KINDS)
            transcript = max(forks, default="")
        if transcript in self._files:
            own.add(transcript)
        for name in own:
            self.keys_of[name].append(facts.key)
        word = word or self._oddity(facts, named, transcript, derived)
        return replace(
            facts,
            odd=dict(facts.odd) | ({"sessionFile": word} if word else {}),
            transcript=transcript,
            expected=derived[-1] if derived else "",
            transcripts=tuple(sorted(own)),
        )

    def _oddity(
        self, facts: EntryFacts, named: str, transcript: str, derived: Collection[str]
    ) -> str:
        """What is odd about a ``sessionFile`` that may be followed, now that one file counts."""
        if not named or not transcript or named in derived:
            return ""
        if named != transcript:
            return "missing"
        said = self._named.get(named)
        is_other = (
            said is not None
            and said.session_id is not None
            and facts.session_id not in self._ids_of(named, said)
        )
        # With a transcript of its own beside it, one of the two is not this session's.
        return "other-id" if is_other and any(map(self._is_there, derived)) else ""

    def _is_there(self, name: str) -> bool:
        """Whether a plain file is there; names without a folder are known already."""
        if name in self._files:
            return not self._files[name].is_folder
        if "/" not in name:
            return False
        try:
            status = status_of(self._folder / name)
        except SessionStoreError:
            return False
        return status is not None and stat.S_ISREG(status.st_mode)

    def _named_file(self, facts: EntryFacts) -> tuple[str, str]:
        """The file that ``sessionFile`` may lead to, and what is odd about how it is written."""
        text = facts.session_file.strip()
        if not text or "sessionFile" in facts.odd:
            return "", facts.odd.get("sessionFile", "")
        if "\0" in text:
            return "", "nul"
        folder, name = os.path.split(os.path.normpath(self._folder / text))
        if folder in self._homes:
            return name, "other-id" if self._contradicts(name, facts) else ""
        judged = judge(self._paths, text, may_look_at=self._may_look_at)
        if judged is None or judged.path is None:
            bad = "" if judged is None else judged.bad
            return "", self._form_of(text) if bad == "outside" else bad
        return self._elsewhere(judged.path, judged.reach, facts)

    def _elsewhere(self, path: Path, reach: str, facts: EntryFacts) -> tuple[str, str]:
        is_mine = str(path.parent) in self._homes
        name = path.name if is_mine else str(path)
        if reach == "other-agent" or (reach == "moved" and not is_mine):
            return name, "other-agent"
        if self._contradicts(path.name, facts):
            return name, "other-id"
        return name, "elsewhere" if reach == "moved" else ""

    @staticmethod
    def _contradicts(name: str, facts: EntryFacts) -> bool:
        """Whether it is the name of another session's file, so that it comes last (§6.4)."""
        said = classify(name)
        return (
            said.kind in PRIMARY_KINDS
            and said.session_id is not None
            and _GENERATED.fullmatch(said.session_id) is not None
            and said.session_id != facts.session_id
        )

    def _form_of(self, text: str) -> str:
        """Whether a path that leads out has the form of a transcript's of some other agent."""
        agent = agent_id_of_path(text)
        if agent is None or normalise_agent_id(agent) != agent.lower() or ".." in text.split("/"):
            return "outside"
        mine = normalise_agent_id(self._paths.agent_id or "")
        return "elsewhere" if mine is None or agent.lower() == mine else "other-agent"


def marked(
    files: Mapping[str, FileFacts],
    named: Mapping[str, Named],
    keys_of: Mapping[str, Iterable[str]],
    other_ids: Collection[str],
    blobs: Collection[str],
) -> dict[str, FileFacts]:
    """The files with ``is_referenced`` and, of transcripts, ``is_locked``."""
    marks: dict[str, FileFacts] = {}
    for name, facts in files.items():
        each = named.get(name)
        kind = facts.kind
        is_locked, is_referenced = facts.is_locked, kind == "entry" or name in blobs
        if each is not None and kind in _OWN:
            ids = Linker._ids_of(name, each)
            is_referenced = bool(keys_of.get(name)) or not ids.isdisjoint(other_ids)
            is_locked = f"{name}.lock" in files
        elif each is not None and kind == "transcript-lock":
            is_referenced = bool(keys_of.get(each.of))
        if (is_locked, is_referenced) != (facts.is_locked, facts.is_referenced):
            facts = replace(facts, is_locked=is_locked, is_referenced=is_referenced)
        marks[name] = facts
    return marks
