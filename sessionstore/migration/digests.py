"""The digest of a plan: two plans of one digest would do the same to the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from .shapes import PlannedSession, Source


def digest_of_plan(
    what: str,
    sources: Iterable[Source],
    sessions: Iterable[PlannedSession],
    content: Mapping[str, str],
) -> str:
    """SHA-256 over what a plan decides, as 64 hex digits.

    ``what``: store, outcome, guard. A source of one file is told by its own digest, entries of
    others and of the directory by ``content`` (etags by key). Times and sizes of the disk do not
    count: the same plan of another minute has the same digest.
    """
    whole = hashlib.sha256(b"plan 1\n")
    _add(whole, what)
    for source in sources:
        _add(whole, source.form, source.name, source.sha256 or "", str(source.entries))
    for one in sessions:
        _add(whole, one.key, one.action, one.source, one.reason, content.get(one.key, ""))
    return whole.hexdigest()


def _add(whole: hashlib._Hash, *texts: str) -> None:
    # No text of a plan has a NUL: keys with one are refused before.
    whole.update("\0".join(texts).encode("utf-8", "surrogatepass") + b"\n")
