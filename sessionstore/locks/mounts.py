"""What kind of file system a folder is on, and whether other machines can share it.

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

LOCAL = frozenset(
    [
        "aufs",
        "bcachefs",
        "btrfs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "fuseblk",
        "jfs",
        "nilfs2",
        "ntfs",
        "ntfs3",
        "overlay",
        "ramfs",
        "reiserfs",
        "tmpfs",
        "vfat",
        "xfs",
        "zfs",
    ]
)
"""Kinds that one kernel uses at a time. All others may be shared: what is not known here too."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system_of(folder: Path) -> str:
    """The kind of file system, as ``ext4`` or ``nfs4``; "" where the system does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    wanted = os.path.realpath(folder)
    longest, found = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) < 5:
            continue
        point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
        # Of two mounts on one point, the later one covers the earlier.
        if _is_below(wanted, point) and len(point) >= longest:
            longest, found = len(point), kind
    return found


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")
