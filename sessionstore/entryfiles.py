"""What is inside an entry's file, and what is wrong with one.

An ordinary key's file is the bare entry under an inline name; any other key's is
``{"sessionKey": ..., "entry": ...}`` below ``x/``, under the digest of the key.
"""

from __future__ import annotations

from collections.abc import Iterator

from .blobs import BlobError, Known, is_folded
from .entries import NotAnEntryError, decode, encode, parse_value, quote, split
from .errors import (
    CorruptEntryError,
    Finding,
    InvalidEntryError,
    InvalidKeyError,
    SessionStoreError,
    StoreIOError,
    UnsafeFileError,
)
from .files import DEFAULT_MAX_BYTES, read_file, read_file_stat
from .keys import SIDE_AREA, Place, is_side_name, key_from_name, locate
from .layout import Scanned
from .opened import OpenDirectory

HINT = "the file is left as it is; restore the session or store a new entry in its place"


BLOB_HINT = "the file is left as it is; restore the session from a backup, or the blob itself"


def read_entry(
    opened: OpenDirectory, place: Place, max_bytes: int, *, known: list[Known] | None = None
) -> bytes | None:
    """The entry's bytes, unparsed; None when there is no file. Opens one file.

    Of a folded entry also each blob that is not in the process's cache; ``known`` is given what
    was put in.

    Raises:
        UnsafeFileError, StoreIOError, CorruptEntryError (of files below ``x/``, and of folded
        entries with a blob that is missing or damaged).
    """
    tried = b""
    while (data := read_stored(opened, place, max_bytes)) is not None and is_folded(data):
        try:
            data, put_in = opened.blobs.expand(data, max_bytes=max_bytes)
        except BlobError as error:
            # Without a lock: a writer may have replaced the entry, and its blob may be gone since.
            if data == tried:
                path = opened.path_of(place.file_name)
                raise corrupt_entry(place.key, path, str(error), BLOB_HINT) from error
            tried = data
            continue
        if known is not None:
            known += put_in
        return data
    return data


def read_stored(opened: OpenDirectory, place: Place, max_bytes: int) -> bytes | None:
    """The bytes as they are in the file, references included. Raises as :func:`read_entry`."""
    try:
        data, _ = read_file_stat(place.file_name, dir_fd=opened.fd, max_bytes=max_bytes)
    except FileNotFoundError:
        return None
    except SessionStoreError as error:
        raise complete(error, opened, place) from error.__cause__
    if "/" not in place.file_name:
        return data
    try:
        key, body = unwrap(data, place.file_name, opened)
    except CorruptEntryError as error:
        error.key = place.key
        raise
    if key != place.key:
        raise corrupt_entry(place.key, opened.path_of(place.file_name), "is another key's")
    return body


def complete(error: SessionStoreError, opened: OpenDirectory, place: Place) -> SessionStoreError:
    """Give an error of ``files``, which knows only a name, the key and the whole path."""
    error.key = place.key
    path = opened.path_of(place.file_name)
    if error.path != path:
        error.message = error.message.replace(error.path or place.file_name, path, 1)
        error.path = path
    return error


def refuse_reserved(key: str, data: bytes) -> None:
    """Refuse an entry that would be taken for a folded one.

    Raises:
        InvalidEntryError: its first field has the name that is reserved for that.
    """
    if is_folded(data):
        raise InvalidEntryError(
            f"the entry of {key!r} begins with a field that this store uses itself",
            key=key,
            hint='call the field otherwise than "$sessionstore:folded"',
        )


def wrap(key: str, data: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
    """An entry's bytes as they are kept below ``x/``, where the name does not tell the key.

    Raises:
        InvalidEntryError: the whole would be larger than a reader takes.
    """
    body = data.replace(b"\n", b"\n  ")
    whole = b'{\n  "sessionKey": ' + quote(key)[:-2] + b',\n  "entry": ' + body + b"\n}"
    if len(whole) > max_bytes:
        raise InvalidEntryError(
            f"the file of {key!r} would have {len(whole):,} bytes of at most {max_bytes:,}",
            key=key,
            hint="keep large texts outside the entry, or open the store with a larger limit",
        )
    return whole


def unwrap(data: bytes, name: str, opened: OpenDirectory) -> tuple[str, bytes]:
    """Key and entry bytes of a file below ``x/``; the key must belong under this name.

    Raises:
        CorruptEntryError: it does not, or the file is no such object.
    """
    try:
        fields = split(data)
        if fields is not None:
            key = parse_value(fields["sessionKey"])
            # Undo the indentation of wrap(), or it would grow with every rewrite.
            body = bytes(fields["entry"]).replace(b"\n  ", b"\n")
        else:
            whole = decode(data)
            key, body = whole["sessionKey"], encode(whole["entry"])
        place = locate(key)
    except NotAnEntryError as error:
        raise corrupt_entry(None, opened.path_of(name), str(error)) from error
    except (KeyError, TypeError, AttributeError, InvalidKeyError, SessionStoreError) as error:
        why = "is not an object with sessionKey and entry"
        raise corrupt_entry(None, opened.path_of(name), why) from error
    if place.file_name != name or place.key != key:
        raise corrupt_entry(None, opened.path_of(name), "holds a key of another name")
    return key, body


def canonical_key(name: str) -> str | None:
    """The key of an inline name that this version writes; None for any other name."""
    key = key_from_name(name)
    if key is None:
        return None
    try:
        place = locate(key)
    except InvalidKeyError:
        return None
    return key if place.key == key and place.file_name == name else None


def scan_adopted(opened: OpenDirectory, max_bytes: int) -> Iterator[Scanned]:
    """Read every file of an adopted directory once, in no order."""
    for name in opened.names():
        if name == SIDE_AREA or (name.startswith(".") and key_from_name(name) is None):
            continue
        key = canonical_key(name)
        if key is None:
            yield Scanned(None, b"", foreign_file(opened.path_of(name)))
        elif (found := scan_file(opened, name, key, max_bytes)) is not None:
            yield found
    yield from scan_side_area(opened, max_bytes)


def scan_side_area(opened: OpenDirectory, max_bytes: int) -> Iterator[Scanned]:
    """Read every file below ``x/`` once. A link in its place is a finding, and not followed."""
    try:
        names = opened.side_names()
    except UnsafeFileError as error:
        finding = Finding("unsafe-file", "error", None, error.path, error.message, error.hint)
        yield Scanned(None, b"", finding)
        return
    for name in names:
        below = f"{SIDE_AREA}/{name}"
        if not is_side_name(name):
            yield Scanned(None, b"", foreign_file(opened.path_of(below)))
        elif (found := scan_file(opened, below, None, max_bytes)) is not None:
            yield found


def scan_file(opened: OpenDirectory, name: str, key: str | None, max_bytes: int) -> Scanned | None:
    """Read one file for a scan, whatever is wrong with it; None when it is gone by now."""
    path = opened.path_of(name)
    try:
        key, data = read_whole(opened, name, key, max_bytes)
        entry = decode(data)
    except FileNotFoundError:
        return None
    except NotAnEntryError as error:
        finding = Finding("damaged-entry", "error", key, path, f"{path} {error}", HINT)
        return Scanned(key, b"", finding)
    except CorruptEntryError as error:
        finding = Finding("damaged-entry", "error", error.key, path, error.message, error.hint)
        return Scanned(error.key, b"", finding)
    except (UnsafeFileError, StoreIOError) as error:
        rule = "unsafe-file" if isinstance(error, UnsafeFileError) else "unreadable"
        message = error.message.replace(name, path, 1)
        return Scanned(key, b"", Finding(rule, "error", key, path, message, error.hint))
    return Scanned(key, data, entry=entry)


def read_whole(
    opened: OpenDirectory, name: str, key: str | None, max_bytes: int
) -> tuple[str | None, bytes]:
    """Key and whole entry of a file by its name; the key is given where the name tells it.

    Raises:
        FileNotFoundError, UnsafeFileError, StoreIOError, CorruptEntryError.
    """
    tried = b""
    while True:
        data = read_file(name, dir_fd=opened.fd, max_bytes=max_bytes)
        if name.startswith(SIDE_AREA + "/"):
            key, data = unwrap(data, name, opened)
        try:
            return key, expanded(opened, data, max_bytes)
        except BlobError as error:
            if data == tried:
                raise corrupt_entry(key, opened.path_of(name), str(error), BLOB_HINT) from error
            tried = data


def expanded(opened: OpenDirectory, data: bytes, max_bytes: int) -> bytes:
    """The whole entry of a stored one, which is the same unless it is folded.

    Raises:
        BlobError, StoreIOError.
    """
    return opened.blobs.expand(data, max_bytes=max_bytes)[0] if is_folded(data) else data


def corrupt_entry(key: str | None, path: str, why: str, hint: str = HINT) -> CorruptEntryError:
    """The error for a damaged entry file."""
    return CorruptEntryError(f"{path} {why}", key=key, path=path, hint=hint)


def foreign_file(path: str) -> Finding:
    """The finding for a file that is no session of this store."""
    return Finding(
        "foreign-file",
        "warning",
        None,
        path,
        f"{path} is no session file of this store and is not read",
        "another program wrote it; move it out of the store",
    )
