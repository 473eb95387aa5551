"""What goes into an archive, and adding to it.

What is wrong with one file never fails a backup: it is kept byte for byte below ``damaged/`` and
is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..entries import Entry, etag, normalise
from ..errors import Finding, SessionStoreError
from ..keys import SIDE_AREA, locate
from ..treefiles import CHUNK_BYTES, Reader
from .archive import ArchiveWriter
from .manifest import MAX_MEMBER_BYTES, SOURCES, Aside, Member, aside_member, session_member
from .places import plain_text
from .shapes import BackupSession, BackupTranscript

Step = Callable[[str], None]
"""Called with a key or file name after each member."""


class ShrankError(Exception):
    """A file lost bytes while it was copied: a program rewrites it in place. Start over."""


@dataclass(slots=True)
class Gathered:
    """Adds members to an archive and remembers them for the manifest.

    ``entries`` are those of a selection, for finding their transcripts.
    """

    writer: ArchiveWriter
    step: Step
    sources: list[Member] = field(default_factory=list)
    sessions: list[BackupSession] = field(default_factory=list)
    damaged: list[Aside] = field(default_factory=list)
    transcripts: list[BackupTranscript] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    keep_entries: bool = False
    expect: Callable[[int], None] = lambda members: None
    _asides: set[str] = field(default_factory=set)

    def add_source(self, name: str, reader: Reader) -> None:
        """A whole file of the store, as it is."""
        self.sources.append(self._stream(SOURCES + name, reader, reader.size_bytes))
        self.step(name)

    def add_session(self, key: str, data: bytes, entry: Entry) -> None:
        """One sound entry; ``data`` is what a file of the directory layout holds for this key."""
        try:
            tag = etag(normalise(entry))
        except SessionStoreError as error:  # NaN and the like: readable, but no strict JSON
            tag = ""
            self.findings.append(
                Finding("odd-entry", "warning", key, None, f"{key}: {error.message}", error.hint)
            )
        member = self.writer.add(session_member(key), data)
        self.sessions.append(BackupSession(key, member.name, len(data), member.sha256, tag))
        if self.keep_entries:
            self.entries[key] = entry
        self.step(key)

    def add_aside(
        self, file: str, source: Reader | bytes, *, key: str | None, finding: Finding
    ) -> None:
        """Something that is no sound entry; ``file`` is its name below the store's folder."""
        name = aside_member(file, self._asides)
        self._asides.add(name)
        if isinstance(source, bytes):
            member = self.writer.add(name, source)
        else:
            member = self._stream(name, source, source.size_bytes)
        self.damaged.append(
            Aside(
                name=member.name,
                file=plain_text(file),
                key=key,
                reason=plain_text(finding.message),
                size_bytes=member.size_bytes,
                sha256=member.sha256,
            )
        )
        self.findings.append(finding)
        self.step(file)

    def add_transcript(self, name: str, member: str, reader: Reader, size: int) -> None:
        """The first ``size`` bytes of a transcript."""
        added = self._stream(member, reader, size)
        self.transcripts.append(BackupTranscript(name, size, added.sha256, member))
        self.step(name)

    def keys(self) -> set[str]:
        """The keys of everything that was found, damaged or not."""
        return {one.key for one in self.sessions} | {one.key for one in self.damaged if one.key}

    def _stream(self, name: str, reader: Reader, size: int) -> Member:
        try:
            return self.writer.add_stream(name, size, chunks(reader, size))
        except ValueError as error:
            raise ShrankError(str(error)) from error


def is_wrapped(key: str) -> bool:
    """Whether a key's member holds key and entry, as a file below ``x/`` does."""
    return locate(key).file_name.startswith(f"{SIDE_AREA}/")


def chunks(reader: Reader, size: int) -> Iterator[bytes]:
    """The first ``size`` bytes of a file; fewer when it has no more."""
    offset = 0
    while offset < size and (chunk := reader.read_at(offset, min(CHUNK_BYTES, size - offset))):
        offset += len(chunk)
        yield chunk


def is_too_large(reader: Reader) -> bool:
    """Whether a plain tar header cannot say this size (8 GiB)."""
    return reader.size_bytes > MAX_MEMBER_BYTES


def not_kept(path: str, why: str, *, key: str | None = None) -> Finding:
    """The finding for what is not in the backup."""
    return Finding(
        "not-in-backup",
        "warning",
        key,
        path,
        f"{path} is not in the backup: {why}",
        "look at it, and move it out of the store",
    )
