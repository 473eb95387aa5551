"""A session's transcript: its names, which file it is, its lines, and setting it aside.

``names`` says what a name beside a store means; ``containment`` where ``sessionFile`` may lead;
``lookup`` which file counts; ``aside`` gives it an archive's name and takes it back.
"""

from .aside import archivable, set_aside, take_back
from .containment import judge
from .lookup import Refusal, Transcript, Why, derived_names, find_transcript
from .names import (
    ARCHIVE_KINDS,
    PRIMARY_KINDS,
    ArchiveReason,
    FileKind,
    Named,
    archive_name,
    classify,
    is_session_id,
    lock_name,
    transcript_name,
)

__all__ = [
    "ARCHIVE_KINDS",
    "PRIMARY_KINDS",
    "ArchiveReason",
    "FileKind",
    "Named",
    "Refusal",
    "Transcript",
    "Why",
    "archivable",
    "archive_name",
    "classify",
    "derived_names",
    "find_transcript",
    "is_session_id",
    "judge",
    "lock_name",
    "set_aside",
    "take_back",
    "transcript_name",
]
