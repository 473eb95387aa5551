"""One entry: read, write, normalise, merge, compare, digest, mask.

An entry is a plain ``dict`` with text keys, as JSON gives it. Unknown fields survive
everything. Two entries are equal when their JSON values are: ``1`` equals ``1.0`` and ``-0``
equals ``0``, ``true`` is not ``1``, text is compared code point by code point, order does not
count (requirement D15).
"""

from .codec import (
    Entry,
    NotAnEntryError,
    RawValue,
    apply_patch,
    decode,
    decode_exactly,
    encode,
    encode_value,
    etag,
    join,
    parse_value,
    quote,
    split,
)
from .compare import equal, is_finite_number, updated_at_ms
from .incarnation import new_incarnation
from .normalise import (
    NORMALISED_FIELDS,
    drop_stale_file,
    merged,
    normalise,
    route_update,
    settle_delivery,
    stamp,
)
from .redaction import MASK, redact

__all__ = [
    "MASK",
    "NORMALISED_FIELDS",
    "Entry",
    "NotAnEntryError",
    "RawValue",
    "apply_patch",
    "decode",
    "decode_exactly",
    "drop_stale_file",
    "encode",
    "encode_value",
    "equal",
    "etag",
    "is_finite_number",
    "join",
    "merged",
    "new_incarnation",
    "normalise",
    "parse_value",
    "quote",
    "redact",
    "route_update",
    "settle_delivery",
    "split",
    "stamp",
    "updated_at_ms",
]
