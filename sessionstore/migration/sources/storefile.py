"""L0: one ``sessions.json``, strict or as tolerant as its writers ever were.

OpenClaw of early 2026 read JSON5; editors leave byte order marks and CRLF. Later programs take
such a file for an empty store and overwrite it, so it is read here as far as it can be
(layout-variants §7.3, requirements E5, E6 and E7).
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import pyjson5

from ...entries import RawValue, encode_value, split
from ...errors import FileTooLargeError, InvalidEntryError
from ...files import read_file_stat, status_of
from ...layout import is_guard, is_marked
from ...legacyfile import BOM, MAX_STORE_BYTES, identity_of
from ...mirrorfile import FOREIGN_CHANGE, is_mirrored
from ..ours import own_digests
from ..shapes import Form, Source
from .collected import Identity
from .gathering import Gathering
from .members import cut

Problem = Literal["", "empty", "invalid"]

_MAX_JSON5_DEPTH: Final = 900  # over our own limit, under the interpreter's


class Text(NamedTuple):
    """A parsed store file: raw values by name as it is spelt there."""

    members: dict[str, RawValue]
    form: Form
    problem: Problem = ""
    why: str = ""


class StoreFile(NamedTuple):
    """What there was to know of a ``sessions.json``."""

    identity: Identity | None
    problem: Problem


def read_store_file(gathering: Gathering) -> StoreFile:
    """Offer every entry of the store's ``sessions.json``. A guard directory is none.

    Cost: the whole file, each value parsed once; at most twice its size in memory.

    Raises:
        UnsafeFileError: it is a link or a special file; the message names it.
        StoreIOError: it, or a note of ours about it, cannot be read.
    """
    path = gathering.paths.store_path
    status = status_of(path)
    if status is None or stat.S_ISDIR(status.st_mode):
        _report_odd_folder(gathering, is_there=status is not None)
        return StoreFile(None, "")
    try:
        data, status = read_file_stat(path, max_bytes=MAX_STORE_BYTES)
    except FileNotFoundError:
        return StoreFile(None, "")
    except FileTooLargeError as error:
        gathering.report(
            "damaged-store", error.message, path=path.name, hint=error.hint, severity="error"
        )
        return StoreFile(identity_of(status), "invalid")
    identity = identity_of(status)
    digest = hashlib.sha256(data).hexdigest()
    if is_marked(gathering.paths) and _is_copy(gathering, digest):
        return StoreFile(identity, "")
    size = len(data)
    text = parse(data)
    del data  # the rows are copies: half of the memory goes before they are looked at
    if text.problem:
        _report_problem(gathering, text)
        return StoreFile(identity, text.problem)
    taken = _offer_all(gathering, text, status.st_mtime_ns)
    gathering.sources.append(Source(text.form, path.name, taken, size, status.st_mtime_ns, digest))
    return StoreFile(identity, "")


def _report_odd_folder(gathering: Gathering, *, is_there: bool) -> None:
    """A guard is as it should be; any other directory in the place of the file is not."""
    if is_there and not is_guard(gathering.paths):
        name = gathering.paths.store_path.name
        gathering.report(
            "odd-path",
            f"{name} is a directory with other things in it than a guard's note; none is read",
            path=name,
            hint="look at it and move it out of the store",
        )


def _is_copy(gathering: Gathering, digest: str) -> bool:
    """Whether the file is, or is to be, a copy of the directory that is there.

    Without its directory a copy is all there is, and a source like any other.
    """
    name, directory = gathering.paths.store_path.name, gathering.paths.directory.name
    if digest in own_digests(gathering.paths):
        gathering.report(
            "own-copy",
            f"{name} is a copy that sessionstore itself wrote, and is not imported",
            path=name,
            severity="info",
        )
        return True
    if is_mirrored(gathering.paths):
        gathering.report(
            FOREIGN_CHANGE,
            f"{name} is kept as a copy of {directory}, but another program has written it: "
            "nothing is taken over from it",
            path=name,
            hint="look at what it wrote; switch the mirror off to take it over",
        )
        return True
    return False


def _offer_all(gathering: Gathering, text: Text, mtime_ns: int) -> int:
    name = gathering.paths.store_path.name
    taken = 0
    for spelt, raw in _drained(text.members):
        taken += gathering.offer(spelt, raw, source=name, mtime_ns=mtime_ns, path=name)
    return taken


def _drained(members: dict[str, RawValue]) -> Iterator[tuple[str, bytes]]:
    """Every member once, indented as an entry of its own.

    A text of JSON has no raw line end in it, so this never touches a value.
    """
    for spelt in list(members):
        yield spelt, bytes(members.pop(spelt)).replace(b"\n  ", b"\n")


def _report_problem(gathering: Gathering, text: Text) -> None:
    name = gathering.paths.store_path.name
    if text.problem == "empty":
        gathering.report("empty-store", f"{name} {text.why}", path=name, severity="info")
        return
    gathering.report(
        "damaged-store",
        f"{name} {text.why}",
        path=name,
        hint="it is left as it is; restore it from a backup, then plan again",
        severity="error",
    )


def parse(data: bytes) -> Text:
    """Cut a store file into its members: strict JSON first, then member by member, then JSON5."""
    body = data.removeprefix(BOM).replace(b"\r\n", b"\n")  # the same object where there is none
    if not body.strip():
        return Text({}, "json", "empty", f"is empty ({len(data)} bytes)")
    members = split(body)
    if members is not None:
        return _text(members, "json")
    pieces = cut(body)
    if pieces is not None and all(map(_is_plain, pieces.values())):
        return _text(dict(pieces), "json")
    tolerant = _parse_json5(body)
    if isinstance(tolerant, Text):
        return tolerant
    if pieces is not None:
        return _text(dict(pieces), "json")
    return Text({}, "json", "invalid", tolerant)


def _text(members: dict[str, RawValue], form: Form) -> Text:
    if not members:
        return Text({}, form, "empty", "is an empty object")
    return Text(members, form)


def _is_plain(raw: bytes) -> bool:
    """Whether a value is JSON by its syntax, even where no reader of ours can keep it."""
    try:
        json.loads(raw)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _parse_json5(body: bytes) -> Text | str:
    """The members of a JSON5 text, or why it is none."""
    try:
        value: Any = pyjson5.decode(body.decode(), maxdepth=_MAX_JSON5_DEPTH)
    except UnicodeDecodeError as error:
        return f"is not UTF-8 at byte {error.start}"
    except pyjson5.Json5EOF:
        return "ends in the middle, or holds a number that no parser takes"
    except pyjson5.Json5NestingTooDeep:
        return f"is nested more than {_MAX_JSON5_DEPTH} levels deep"
    except pyjson5.Json5DecoderException as error:
        return f"is not JSON and not JSON5: {_place_of(error)}"
    if isinstance(value, list):
        if not value:
            return Text({}, "json5", "empty", "is an empty array")
        return f"is an array of {len(value)}, not an object by session key"
    if not isinstance(value, dict):
        return "is not an object by session key"
    return _text({spelt: _encoded(entry) for spelt, entry in value.items()}, "json5")


def _place_of(error: pyjson5.Json5DecoderException) -> str:
    """Where and what, without the quoting of the parser's own types."""
    return str(error.message).replace("b'", "'")


def _encoded(value: Any) -> bytes:
    try:
        return encode_value(value)
    except InvalidEntryError:
        # Not for keeping: it names the reason when it is judged.
        return _spelt_out(value)


def _spelt_out(value: Any) -> bytes:
    """A text that is blocked for the same reason as the value, which cannot be written."""
    try:
        return json.dumps(value, indent=2).encode()
    except RecursionError:
        return b'{"": ' + b"[" * _MAX_JSON5_DEPTH + b"]" * _MAX_JSON5_DEPTH + b"}"
    except ValueError:  # an integer of thousands of digits
        return b'{"": NaN}'


def keys_of(path: Path) -> dict[str, bytes]:
    """Names and raw values of a kept store file; none where it cannot be read as one.

    Raises:
        FileNotFoundError, UnsafeFileError, StoreIOError.
    """
    data, _ = read_file_stat(path, max_bytes=MAX_STORE_BYTES)
    text = parse(data)
    return {spelt: bytes(raw) for spelt, raw in text.members.items()}
