"""A session's transcript: its names, which file it is, its lines, and setting it aside.

``names`` says what a name beside a store means; ``containment`` where ``sessionFile`` may lead;
``lookup`` which file counts; ``heads`` what it is, from its ends; ``reading`` gives its lines page
by page, of the active branch (``branches``) or all; ``archives`` lists what else is a session's;
``aside`` gives it an archive's name and takes it back.
"""

from .archives import SessionFile, SessionFiles, files_of
from .aside import archivable, set_aside, take_back
from .branches import Branch
from .containment import judge
from .heads import Head, look_inside
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
from .opening import open_transcript
from .reading import Line, Page, read_page

__all__ = [
    "ARCHIVE_KINDS",
    "PRIMARY_KINDS",
    "ArchiveReason",
    "Branch",
    "FileKind",
    "Head",
    "Line",
    "Named",
    "Page",
    "Refusal",
    "SessionFile",
    "SessionFiles",
    "Transcript",
    "Why",
    "archivable",
    "archive_name",
    "classify",
    "derived_names",
    "files_of",
    "find_transcript",
    "is_session_id",
    "judge",
    "lock_name",
    "look_inside",
    "open_transcript",
    "read_page",
    "set_aside",
    "take_back",
    "transcript_name",
]
