"""Only ``files``, ``locks`` and ``treefiles`` touch the file system; others are named here.

Read from the syntax tree, so that a comment or another spelling neither hides nor fakes a call.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest

import sessionstore

PACKAGE = Path(sessionstore.__file__).parent
ALLOWED = ("files", "locks", "treefiles")

MODULES = frozenset(
    [
        "ctypes",
        "fcntl",
        "filelock",
        "glob",
        "io",
        "mmap",
        "multiprocessing",
        "pickle",
        "shelve",
        "shutil",
        "socket",
        "sqlite3",
        "subprocess",
        "tempfile",
    ]
)
HARMLESS = frozenset(
    [
        "os.PathLike",
        "os.fsdecode",
        "os.fsencode",
        "os.fspath",
        "os.register_at_fork",
        "os.sep",
        "os.stat_result",
        "os.strerror",
        "os.path",
        "os.path.abspath",
        "os.path.isabs",
        "os.path.normpath",
        "os.path.split",
    ]
)
# Texts have a replace as well, and matches a group.
PATH_METHODS = frozenset(dir(Path)) - frozenset(dir(PurePath)) - {"replace", "group"}

EXCEPTIONS: dict[str, set[str]] = {
    # A database is opened by its own library, to read only.
    "databasefile.py": {"import sqlite3", "os.geteuid"},
    # Reads the events of its own descriptor; a watch opens no session.
    "index/inotify.py": {"import ctypes", "os.O_CLOEXEC", "os.O_NONBLOCK", "os.close", "os.read"},
    # A stat or a listing relative to a descriptor that files opened; hot at 100,000 sessions.
    "index/directory_source.py": {"os.stat"},
    "index/loading.py": {"os.scandir"},
    "index/watching.py": {"os.fstat"},
    # One process at a time writes a snapshot, through files.
    "index/snapshot.py": {"import filelock"},
    # Spelling only: the user's home directory.
    "paths.py": {"os.path.expanduser"},
}
"""What a module of the store may use besides, and why."""

DEMO = {
    "demo/__main__.py",
    "demo/disk.py",
    "demo/problems.py",
    "demo/state.py",
    "demo/writers.py",
}
"""Makes damage on purpose and starts processes; no program's data is in its directory."""


def uses(source: str) -> Iterator[str]:
    """What a module may touch the file system with, by the name it goes by."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"import {one.name}" for one in node.names if _root(one.name) in MODULES)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = node.module or ""
            if _root(module) in MODULES:
                yield f"import {module}"
            elif _root(module) in ("os", "posix", "builtins"):
                yield from (f"{module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Attribute):
            yield from _attribute(node)
        elif isinstance(node, ast.Name) and node.id in ("open", "__import__"):
            yield node.id
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _attribute(node: ast.Attribute) -> Iterator[str]:
    name = ast.unparse(node)
    if re.fullmatch(r"os(\.\w+)+", name):
        yield name
    elif node.attr in PATH_METHODS:
        yield f".{node.attr}"


def _call(node: ast.Call) -> Iterator[str]:
    # A text's replace takes two arguments, a path's takes one.
    is_replace = isinstance(node.func, ast.Attribute) and node.func.attr == "replace"
    if is_replace and len(node.args) == 1 and not node.keywords:
        yield ".replace"


def _root(module: str) -> str:
    return module.partition(".")[0]


def found_in(path: Path) -> set[str]:
    return set(uses(path.read_text())) - HARMLESS


def modules() -> list[str]:
    names = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")]
    return sorted(name for name in names if name.partition("/")[0].partition(".")[0] not in ALLOWED)


@pytest.mark.parametrize("name", [name for name in modules() if name not in DEMO])
def test_module_touches_the_file_system_only_as_listed(name: str) -> None:
    # Equal, not only a part: an exception that is no longer needed goes.
    assert found_in(PACKAGE / name) == EXCEPTIONS.get(name, set())


def test_listed_modules_exist() -> None:
    assert EXCEPTIONS.keys() | DEMO <= set(modules())


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import os\nos.link('a', 'b')", {"os.link"}),
        ("import os\nos.path.exists('a')", {"os.path.exists"}),
        ("from os import open as o", {"os.open"}),
        ("open('a')", {"open"}),
        ("path.write_text('a')", {".write_text"}),
        ("path.replace(other)", {".replace"}),
        ("text.replace('a', 'b')", set()),
        ("path.with_suffix('.d').mkdir()", {".mkdir"}),
        ("path.read_bytes", {".read_bytes"}),
        ("import shutil", {"import shutil"}),
        ("from fcntl import flock", {"import fcntl"}),
        ("from . import files\nfiles.read_file(1)", set()),
        ("import os\nos.fsencode('a')", set()),
    ],
)
def test_the_guard_sees_every_way_to_touch_a_file(source: str, seen: set[str]) -> None:
    assert set(uses(source)) - HARMLESS == seen
