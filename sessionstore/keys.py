"""Session keys: fold, validate, and translate to and from file names and lock bytes.

A key is free text chosen by a gateway, sometimes by a remote caller. It becomes a path only
here, by an allow-list. Sources: layout-variants §7.1 (names), openclaw-format §2.2 (folding).
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from .errors import InvalidEntryError, InvalidKeyError

MAX_KEY_BYTES = 4096
MAX_INLINE_NAME_BYTES = 140  # eCryptfs and some NAS systems stop at 143
MAX_READ_NAME_BYTES = 255
SIDE_AREA = "x"
SUFFIX = ".json"
MARKER_NAME = ".store.json"

# ECMAScript's WhiteSpace and LineTerminator: str.strip() would also take U+001C..U+001F and
# U+0085, and would leave U+FEFF, so other programs would fold the same key differently.
_ECMA_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_SIGNAL_GROUP = re.compile(r"(?:^|:)signal:group:([^:]+)", re.IGNORECASE | re.ASCII)
_MATRIX_ROOM = re.compile(r"^(?:agent:[^:]+:)?matrix:(?:channel|group):", re.IGNORECASE | re.ASCII)
_THREAD = re.compile(r":thread:", re.IGNORECASE | re.ASCII)
_INLINE = re.compile(r"[!#-)+-;=@-Z\[\]^-{}~\\ ]+")  # printable ASCII without " * < > ? |
_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_UPPER = re.compile(r"[A-Z]")
_DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{stem}{digit}" for stem in ("com", "lpt") for digit in range(10)]
)
_PROTOTYPE_NAMES = frozenset(["__proto__", "prototype", "constructor"])


class Place(NamedTuple):
    """Where a folded key lives: its file below ``sessions.d`` and its lock byte."""

    key: str
    file_name: str
    lock_offset: int


def fold(key: str) -> str:
    """Trim and lowercase a key, except opaque ids that are case-sensitive by their channel.

    Signal group ids and Matrix room and thread ids keep their case: two that differ only by
    case can be two rooms (openclaw-format §2.2). Idempotent.
    """
    raw = key.strip(_ECMA_SPACE)
    if "signal:" not in (lowered := raw.lower()) and "matrix:" not in lowered:
        return lowered
    folded, cursor = [], 0
    for start, end, trimmed in sorted(_opaque_spans(raw)):
        if start < cursor:
            continue
        opaque = raw[start:end]
        folded += [
            raw[cursor:start].lower(),
            opaque.strip(_ECMA_SPACE) if trimmed else opaque,
        ]
        cursor = end
    return "".join(folded) + raw[cursor:].lower()


def _opaque_spans(raw: str) -> list[tuple[int, int, bool]]:
    """(start, end, trimmed) of each id whose case counts."""
    spans = [(*match.span(1), True) for match in _SIGNAL_GROUP.finditer(raw)]
    if room := _MATRIX_ROOM.match(raw):
        markers = list(_THREAD.finditer(raw, room.end()))
        end = markers[-1].start() if markers else len(raw)
        spans.append((room.end(), end, False))
        if markers:
            spans.append((markers[-1].end(), len(raw), False))
    return [span for span in spans if span[0] < span[1]]


def check_key(key: object) -> str:
    """Return the folded key, or raise :class:`InvalidKeyError`.

    A key has 1 to 4,096 bytes of UTF-8 after folding, no NUL and no lone surrogate.
    """
    if not isinstance(key, str):
        raise InvalidKeyError(f"a session key is text, not {type(key).__name__}", hint="pass a str")
    return locate(key).key


def fold_checked(key: str) -> str:
    """The folded key of one that is valid; a third of the cost of :func:`locate`.

    Raises:
        InvalidKeyError: see :func:`check_key`.
    """
    return _checked(key)[0]


@lru_cache(maxsize=8192)
def locate(key: str) -> Place:
    """Fold and validate a key and say where it lives. Cached: two digests a miss (3 µs).

    Raises:
        InvalidKeyError: see :func:`check_key`.
    """
    folded, encoded = _checked(key)
    digest = hashlib.sha256(encoded)
    inline = inline_name(folded)
    name = inline if inline is not None else f"{SIDE_AREA}/{digest.hexdigest()}{SUFFIX}"
    return Place(folded, name, (int.from_bytes(digest.digest()[:8], "big") >> 2) + 1)


def _checked(key: str) -> tuple[str, bytes]:
    folded = fold(key)
    try:
        encoded = folded.encode()
    except UnicodeEncodeError:
        raise _invalid(folded, "has a lone surrogate") from None
    if not folded:
        raise _invalid(folded, "is blank")
    if "\0" in folded:
        raise _invalid(folded, "has a NUL")
    if len(encoded) > MAX_KEY_BYTES:
        raise _invalid(folded, f"has {len(encoded):,} bytes of at most {MAX_KEY_BYTES:,}")
    return folded, encoded


def check_session_id(session_id: object) -> str:
    """A session id that can name a transcript (openclaw-format §6.2), or InvalidEntryError.

    Ids are restricted where keys are free text: 1 to 128 letters, digits, ``.``, ``_`` and
    ``-``, the first a letter or digit.
    """
    if isinstance(session_id, str) and _SESSION_ID.fullmatch(session_id):
        return session_id
    raise InvalidEntryError(
        f"{ascii(session_id)[:80]} is no session id",
        hint="1 to 128 letters, digits, '.', '_' and '-', the first a letter or digit",
    )


def _invalid(key: str, why: str) -> InvalidKeyError:
    shown = ascii(key if len(key) <= 80 else key[:77] + "...")
    return InvalidKeyError(
        f"session key {shown} {why}",
        key=key[:200],
        hint="a key has 1 to 4,096 bytes, no NUL and no lone surrogate",
    )


def inline_name(key: str) -> str | None:
    """File name of an ordinary key (layout-variants §7.1 rule 2), None for any other."""
    if not _INLINE.fullmatch(key) or _UPPER.search(key):
        return None
    if key[0] == "." or key[-1] in ". " or key in _PROTOTYPE_NAMES:
        return None
    if key.partition(".")[0].rstrip(" ") in _DEVICE_NAMES:
        return None
    name = _percent_encode(key) + SUFFIX
    return name if len(name) <= MAX_INLINE_NAME_BYTES else None


def is_ordinary(key: str) -> bool:
    """Whether the folded key's entry is kept bare under an inline name."""
    return inline_name(key) is not None


def file_name(key: str) -> str:
    """Path of the folded key's file, relative to ``sessions.d``."""
    return locate(key).file_name


def lock_offset(key: str) -> int:
    """Byte of the lock file that is this session's lock: 1 to 2**62."""
    return locate(key).lock_offset


def key_from_name(name: str) -> str | None:
    """The key that an inline file name spells, as spelt; None when it is no session file.

    Reads wider than :func:`inline_name` writes: any name of up to 255 bytes that decodes and
    re-encodes to itself, `.hidden.json` included (older programs wrote such). The marker and
    the bare suffix are never sessions.
    """
    if not name.endswith(SUFFIX) or name in (SUFFIX, MARKER_NAME):
        return None
    stem = name[: -len(SUFFIX)]
    try:
        if len(name.encode()) > MAX_READ_NAME_BYTES:
            return None
    except UnicodeEncodeError:
        return None  # bytes that are no UTF-8: os.listdir() hands them out as surrogates
    key = stem.replace("%3A", ":").replace("%5C", "\\").replace("%2F", "/").replace("%25", "%")
    return key if _percent_encode(key) == stem else None


def is_side_name(name: str) -> bool:
    """Whether a name below ``x/`` has the form of a key's digest."""
    stem, dot, suffix = name.partition(".")
    return dot + suffix == SUFFIX and len(stem) == 64 and not stem.strip("0123456789abcdef")


def _percent_encode(key: str) -> str:
    # The order is part of the format: "%" first, or the others would be encoded twice.
    return key.replace("%", "%25").replace("/", "%2F").replace("\\", "%5C").replace(":", "%3A")
