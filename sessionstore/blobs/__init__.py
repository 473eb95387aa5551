"""Large values that many entries share, kept once: the opt-in layer between an entry's bytes and
its file (``docs/format.md`` §12).

``form`` is the text of a folded entry, ``folder`` the blob files, ``marking`` says which are
referred to and ``collecting`` removes the others. Everything above works on whole entries.
"""

from .collecting import GRACE_S, Collected, collect, finish, put_back, retire, unreferenced
from .folder import FOLDER, Blobs
from .form import (
    THRESHOLD,
    BlobError,
    Known,
    digests_in,
    has_large_values,
    is_folded,
    reference_to,
)
from .marking import Blob, Reference, entry_files, find_blob, list_blobs, references_in

__all__ = [
    "FOLDER",
    "GRACE_S",
    "THRESHOLD",
    "Blob",
    "BlobError",
    "Blobs",
    "Collected",
    "Known",
    "Reference",
    "collect",
    "digests_in",
    "entry_files",
    "find_blob",
    "finish",
    "has_large_values",
    "is_folded",
    "list_blobs",
    "put_back",
    "reference_to",
    "references_in",
    "retire",
    "unreferenced",
]
