"""Which transcripts and sidecars belong to which sessions, in OpenClaw's order of looking.

``sessionFile`` where it may be followed, else the file of the thread, else ``<sessionId>.jsonl``,
else a fork of that id (openclaw-format §6.4). What ``EntryFacts.odd["sessionFile"]`` says:

``missing``
    it names a file that is not there, and another one counts.
``other-id``
    it names the transcript of another session id.
``other-agent``, ``elsewhere``
    it has the form of a transcript of another agent, or of this one in another state directory.
``outside``, ``nul``
    it leads out of where transcripts may be, or is no path; it is never followed.
``not-a-file``, ``unreadable``
    a link or special file stands there, or the system refused.
``not-text``
    it is no text.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote

from ..files import real_path
from ..paths import StorePaths, agent_id_of_path, normalise_agent_id
from ..transcripts import find_transcript
from .file_kinds import Named, is_session_id
from .shapes import EntryFacts, FileFacts

_THREAD = re.compile(r":(?:topic|thread):([^:]+)$")
_PLAIN = frozenset(["transcript", "topic", "fork"])
_OWN = _PLAIN | {"checkpoint", "trajectory", "trajectory-pointer"}

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
        derived = _derived(facts.key, session_id) if session_id else ()
        transcript, word = self._named_file(facts, derived)
        if not transcript:
            transcript = next((name for name in derived if self._is_plain(name)), "")
        own = set(self._by_id.get(session_id, ())) if session_id else set()
        if not transcript:
            forks = (name for name in own if self._named[name].kind in _PLAIN)
            transcript = max(forks, default="")
        if transcript in self._files:
            own.add(transcript)
        for name in own:
            self.keys_of[name].append(facts.key)
        is_other = word == "missing" and not transcript
        odd = dict(facts.odd) | ({"sessionFile": word} if word and not is_other else {})
        return replace(
            facts,
            odd=odd,
            transcript=transcript,
            expected=derived[-1] if derived else "",
            transcripts=tuple(sorted(own)),
        )

    def _is_plain(self, name: str) -> bool:
        return name in self._files and not self._files[name].is_folder

    def _named_file(self, facts: EntryFacts, derived: Collection[str]) -> tuple[str, str]:
        """The file that ``sessionFile`` names, if it counts, and what is odd about it."""
        text = facts.session_file
        if not text or "sessionFile" in facts.odd:
            return "", facts.odd.get("sessionFile", "")
        if "\0" in text:
            return "", "nul"
        folder, name = os.path.split(os.path.normpath(self._folder / text))
        if folder not in self._homes:
            return self._elsewhere(facts, text)
        if not self._is_plain(name):
            return "", "missing" if name not in derived else ""
        found = self._named.get(name)
        is_other = (
            found is not None
            and found.session_id is not None
            and is_session_id(facts.session_id or "")
            and facts.session_id not in self._ids_of(name, found)
        )
        return name, "other-id" if is_other else ""

    def _elsewhere(self, facts: EntryFacts, text: str) -> tuple[str, str]:
        entry = {"sessionFile": text}
        found = find_transcript(self._paths, facts.key, entry, may_look_at=self._may_look_at)
        if found.refused == "outside":
            return "", self._form_of(text)
        if found.refused in ("not-a-file", "unreadable"):
            return "", found.refused
        agent = agent_id_of_path(str(found.path)) if found.path is not None else None
        word = "other-agent" if agent is not None and agent != self._paths.agent_id else ""
        return (str(found.path), word) if found.is_there else ("", word or "missing")

    def _form_of(self, text: str) -> str:
        """Whether a path that leads out has the form of a transcript's in some state directory."""
        agent = agent_id_of_path(text)
        if agent is None or normalise_agent_id(agent) != agent.lower() or ".." in text.split("/"):
            return "outside"
        mine = normalise_agent_id(self._paths.agent_id or "")
        return "elsewhere" if mine is None or agent.lower() == mine else "other-agent"


def _derived(key: str, session_id: str) -> tuple[str, ...]:
    """Names that the transcript may have, best first; the last is the plain one."""
    plain = f"{session_id}.jsonl"
    thread = _THREAD.search(key)
    if thread is None:
        return (plain,)
    topic = quote(thread[1], safe="!'()*-._~")
    return (f"{session_id}-topic-{topic}.jsonl", plain)


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
