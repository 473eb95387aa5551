"""Large values that many entries share, kept once: the opt-in layer between an entry's bytes and
its file (``docs/format.md`` §12).

``form`` is the text of a folded entry, ``folder`` the blob files, ``marking`` says which are
referred to and ``collecting`` removes the others. Everything above works on whole entries.
"""

from .collecting import GRACE_S, Collected, collect, unreferenced
from .folder import Blobs
from .form import (
    THRESHOLD,
    BlobError,
    Known,
    digests_in,
    has_large_values,
    is_folded,
    reference_to,
)
from .marking import Blob, Reference, entry_files, list_blobs, references_in

__all__ = [
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
    "has_large_values",
    "is_folded",
    "list_blobs",
    "reference_to",
    "references_in",
    "unreferenced",
]
