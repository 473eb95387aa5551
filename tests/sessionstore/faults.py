"""Errors of the operating system, injected into chosen calls of this thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

ERRNOS = ("ENOSPC", "EDQUOT", "EACCES", "EIO", "EROFS")


class Fault:
    """One injected error: which call, when, and how often it has struck."""

    def __init__(self, call: str, code: int, when: Callable[..., bool], skip: int) -> None:
        self.call = call
        self.code = code
        self.when = when
        self.skip = skip
        self.struck = 0
        self._thread = threading.get_ident()

    def strikes(self, *args: Any, **kwargs: Any) -> bool:
        if threading.get_ident() != self._thread or not self.when(*args, **kwargs):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.struck += 1
        return True


def always(*args: Any, **kwargs: Any) -> bool:
    """Every call."""
    return True


def creating(path: Any, flags: int = 0, *args: Any, **kwargs: Any) -> bool:
    """``open`` of a file that must not exist."""
    return bool(flags & os.O_EXCL)


def onto_entry(source: Any, target: Any, **kwargs: Any) -> bool:
    """``rename`` to the name of a session's file or store."""
    return str(target).endswith(".json")


@contextmanager
def injected(
    call: str, code: int, *, when: Callable[..., bool] = always, skip: int = 0
) -> Iterator[Fault]:
    """Let ``os.<call>`` fail with ``code`` where ``when`` says so, after ``skip`` such calls."""
    fault = Fault(call, code, when, skip)
    real = getattr(os, call)

    def faulty(*args: Any, **kwargs: Any) -> Any:
        if fault.strikes(*args, **kwargs):
            raise OSError(fault.code, os.strerror(fault.code), args[0] if args else None)
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, faulty)
        yield fault


@contextmanager
def short_writes(*, then: int | None = None) -> Iterator[None]:
    """Let ``os.write`` take a few bytes at a time, and fail with ``then`` in the end."""
    real = os.write
    thread = threading.get_ident()
    written = 0

    def slow(fd: int, data: Any) -> int:
        nonlocal written
        if threading.get_ident() != thread:
            return real(fd, data)
        if then is not None and written > 20:
            raise OSError(then, os.strerror(then))
        count = real(fd, bytes(data)[:7])
        written += count
        return count

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", slow)
        yield
