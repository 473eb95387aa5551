"""Putting transcripts back beside a store: unpacked aside, read back, never over anything."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import Finding, StoreIOError
from ..files import (
    close_directory,
    ensure_directory,
    open_directory,
    rename_new,
    status_of,
    sync_descriptor,
)
from ..treefiles import Writer
from .manifest import Member
from .reading import Archive
from .restore_place import check_digest
from .restore_runs import Run
from .shapes import BackupTranscript
from .walking import Sink

_FOLDER = "transcripts"


@dataclass(frozen=True, slots=True)
class StagedTranscripts:
    """Unpacked transcripts: name by the number that is their file's for now."""

    run: Run
    fd: int
    names: dict[str, str]
    problems: tuple[Finding, ...]

    def place(self) -> int:
        """Give each its own name beside the store; one that is there already stays. How many.

        Raises:
            StoreIOError: the disk refused.
        """
        placed = sum(self._place(number, name) for number, name in self.names.items())
        self.run.sync()
        return placed

    def _place(self, number: str, name: str) -> bool:
        try:
            return rename_new(number, name, dir_fd=self.fd, to_fd=self.run.home_fd)
        except StoreIOError as error:
            if error.errno == errno.EEXIST:
                return False
            raise


def transcripts_of(
    archive: Archive, session_ids: Collection[object] | None
) -> list[BackupTranscript]:
    """Transcripts in an archive; of these sessions only where some are given."""
    every = archive.manifest.transcripts
    return [one for one in every if session_ids is None or _session_id(one.name) in session_ids]


def _session_id(name: str) -> str:
    return name.partition(".jsonl")[0].partition("-topic-")[0]


def missing_beside(run: Run, wanted: list[BackupTranscript]) -> list[BackupTranscript]:
    """Those that have no file beside the store."""
    return [one for one in wanted if status_of(one.name, dir_fd=run.home_fd) is None]


@contextmanager
def staged_transcripts(
    archive: Archive, run: Run, wanted: list[BackupTranscript]
) -> Iterator[StagedTranscripts]:
    """Unpack transcripts into the run's folder, synced and read back. They go at the end.

    Raises:
        StoreIOError: the disk refused. UnsafeBackupError: the archive is refused.
    """
    folder = run.path / _FOLDER
    ensure_directory(folder)
    fd = open_directory(folder)
    try:
        names, problems = _unpack(archive, wanted, fd, folder)
        sync_descriptor(fd, folder)
        yield StagedTranscripts(run, fd, names, tuple(problems))
    finally:
        close_directory(fd)
        run.discard(_FOLDER)


def _unpack(
    archive: Archive, wanted: list[BackupTranscript], fd: int, folder: Path
) -> tuple[dict[str, str], list[Finding]]:
    by_member = {one.member: (str(number), one) for number, one in enumerate(wanted)}
    names: dict[str, str] = {}
    problems: list[Finding] = []
    open_file: list[Writer] = []

    def sink(member: Member) -> Sink:
        number, _ = by_member[member.name]
        open_file.append(Writer(number, dir_fd=fd, path=folder / number))
        return open_file[-1].write

    try:
        for checked in archive.walk(by_member, sink):
            number, one = by_member[checked.member.name]
            if open_file:
                open_file[-1].sync()
                open_file.pop().close()
            if checked.problem is not None:
                problems.append(checked.problem)
                continue
            check_digest(folder / number, one.sha256)
            names[number] = one.name
    finally:
        for writer in open_file:
            writer.close()
    return names, problems
