"""Trees of files: link, copy, stream, and work folders that a dead process leaves provably dead.

Beside ``files`` and ``locks`` the only code of the store that touches the file system. What is
here serves work on many or large files at once (backups); a single session's files are ``files``'s.
Nothing is followed through a link, no final name is opened for writing.
"""

from .folders import (
    WorkFolder,
    dead_folders,
    empty_folder,
    free_bytes,
    make_work_folder,
    remove_below,
    sync_names,
)
from .links import Taken, Tree, copy_file, link_file, sizes_below
from .streams import CHUNK_BYTES, Reader, Writer

__all__ = [
    "CHUNK_BYTES",
    "Reader",
    "Taken",
    "Tree",
    "WorkFolder",
    "Writer",
    "copy_file",
    "dead_folders",
    "empty_folder",
    "free_bytes",
    "link_file",
    "make_work_folder",
    "remove_below",
    "sizes_below",
    "sync_names",
]
