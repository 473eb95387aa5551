"""Where OpenClaw keeps the texts of skills that entries only refer to (openclaw-format §3.7)."""

from __future__ import annotations

import re

from ..entries import Entry

BLOB_FOLDER = "skills-prompts/sha256"
_BLOB = re.compile(r"[0-9a-f]{64}\.txt")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_blob(name: str) -> bool:
    """Whether a name below ``skills-prompts/sha256/<2 hex>`` is a prompt text's."""
    return _BLOB.fullmatch(name) is not None


def blobs_of(entry: Entry) -> tuple[str, ...]:
    """Prompt texts that an entry names, relative to the store's folder."""
    snapshot = entry.get("skillsSnapshot")
    ref = snapshot.get("promptRef") if isinstance(snapshot, dict) else None
    digest = ref.get("hash") if isinstance(ref, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        return ()
    return (f"{BLOB_FOLDER}/{digest[:2]}/{digest}.txt",)
