"""Why a block of a tar is not the header that has to be there, in words.

A header is only ever compared with the one that we write; what else it may be is parsed here to
be named in the refusal, and for nothing else.
"""

from __future__ import annotations

import tarfile

from ..errors import DamagedBackupError, SessionStoreError
from .archive import BLOCK
from .manifest import NAME, Member
from .untrusted import refused

_TYPES = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.DIRTYPE: "a directory",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.XHDTYPE: "an extended header (PAX)",
    tarfile.XGLTYPE: "a global extended header (PAX)",
    tarfile.SOLARIS_XHDTYPE: "an extended header (PAX)",
    tarfile.GNUTYPE_LONGNAME: "a long name (GNU)",
    tarfile.GNUTYPE_LONGLINK: "a long link (GNU)",
    tarfile.GNUTYPE_SPARSE: "a sparse file (GNU)",
}


def _what(info: tarfile.TarInfo, shown: str) -> str:
    if info.type != tarfile.REGTYPE:
        return f"{shown} is {_TYPES.get(info.type, 'of an unknown type')}"
    if info.name.startswith(("/", "\\")):
        return f"{shown} is an absolute name"
    if ".." in info.name.replace("\\", "/").split("/"):
        return f"{shown} leads out with '..'"
    return ""


def claimed_size(block: bytes) -> int:
    """The size that a header claims; 0 when it is none."""
    try:
        return max(tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size, 0)
    except (tarfile.HeaderError, ValueError):
        return 0


def odd_header(block: bytes, wanted: Member | None, names: list[str]) -> SessionStoreError:
    """Damage, or what somebody made on purpose; ``wanted`` None: the end has to be here."""
    where = "its end" if wanted is None else wanted.name
    if len(block) < BLOCK:
        return DamagedBackupError(f"ends before {where}")
    if not block.strip(b"\0"):
        return DamagedBackupError(f"has its end before {where}")
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return DamagedBackupError(f"has a damaged header before {where}")
    shown = ascii(info.name)[:120]
    return refused(_what(info, shown) or _misplaced(info, shown, wanted, names))


def _misplaced(info: tarfile.TarInfo, shown: str, wanted: Member | None, names: list[str]) -> str:
    if wanted is not None and info.name == wanted.name:
        if info.size != wanted.size_bytes:
            return f"{shown} has {info.size:,} bytes, {wanted.size_bytes:,} in the manifest"
        return f"{shown} has a header that this program does not write"
    if wanted is not None and wanted.name == NAME:
        return f"it begins with {shown}, not with {NAME}"
    if info.name in names:
        return f"{shown} is in it twice, or out of order"
    return f"{shown} is not in its manifest"
