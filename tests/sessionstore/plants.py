"""What may stand where a session's file should be: links, special files, damage."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sessionstore.helpers import entry, json_bytes

Plant = Callable[[Path], None]


def plant_link(path: Path) -> None:
    target = path.parents[2] / "target.json"
    target.write_bytes(json_bytes(entry(label="stolen")))
    path.symlink_to(target)


def plant_dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def plant_fifo(path: Path) -> None:
    os.mkfifo(path)


def plant_socket(path: Path) -> None:
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # a socket's whole path may not have more than 108 bytes
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def plant_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero: endless
    except PermissionError:
        pytest.skip("this user cannot make device nodes")


def plant_directory(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("theirs")


def plant_huge(path: Path) -> None:
    path.write_bytes(b'{"a": "' + b"x" * 9_000_000 + b'"}')


def plant_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 26)


def planted(data: bytes) -> Plant:
    def plant(path: Path) -> None:
        path.write_bytes(data)

    return plant


UNSAFE: dict[str, Plant] = {
    "link": plant_link,
    "dangling-link": plant_dangling_link,
    "fifo": plant_fifo,
    "socket": plant_socket,
    "device": plant_device,
    "directory": plant_directory,
    "huge": plant_huge,
    "sparse": plant_sparse,
}
DAMAGED: dict[str, Plant] = {
    "empty": lambda path: path.touch(),
    "ten-megabytes-of-x": planted(b"x" * 10_000_000),
    "seven-megabytes-of-x": planted(b"x" * 7_000_000),
    "nul-bytes": planted(b"\0" * 4096),
    "truncated": planted(json_bytes(entry(text="abc"))[:-9]),
    "array": planted(b"[1, 2]"),
    "number": planted(b"5"),
    "null": planted(b"null"),
    "not-utf-8": planted(b'{"a": "\xff\xfe"}'),
    "name-not-utf-8": planted(b'{"a\xff": 1}'),
    "utf-16": planted('{"a": 1}'.encode("utf-16")),
    "comment": planted(b'{"a": 1} // x'),
    "two-objects": planted(b"{}{}"),
    "deep-arrays": planted(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep-objects": planted(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "long-number": planted(b'{"a": ' + b"9" * 100_000 + b"}"),
    "lone-continuation": planted(b'{"a": "\x80"}'),
    "overlong-utf-8": planted(b'{"a": "\xc0\xaf"}'),
    "encoded-surrogate": planted(b'{"a": "\xed\xa0\x80"}'),
}
ALL = {**UNSAFE, **DAMAGED}
