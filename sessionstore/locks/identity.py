"""Who a process is: start time, host, boot and namespace, as far as each system can say.

A pid alone proves nothing: it is used again, and means another process in another container.
Sources: proc(5) for Linux; sysctl(3) KERN_PROC_PID for macOS.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Literal

Liveness = Literal["alive", "gone", "zombie", "unknown"]

# A variable, as type checkers skip what stands behind sys.platform itself.
_IS_DARWIN = platform.system() == "Darwin"
_ZOMBIE_STATES = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process. ``start`` is in the system's own unit and only good for comparing."""

    host: str
    boot_id: str
    pid_namespace: int
    pid: int
    start: int
    started_at_ms: int
    program: str


_program: list[str] = []


def name_program(name: str) -> None:
    """Say under which name this process, and what it forks, is shown from now on.

    Call it before the first lock is taken. Without it the name is that of the script.
    """
    _program[:] = [name]


def own_identity(program: str | None = None) -> Identity:
    """This process."""
    pid = os.getpid()
    start = start_of(pid) or 0
    return Identity(
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid_namespace=_pid_namespace(),
        pid=pid,
        start=start,
        started_at_ms=_epoch_ms(start),
        program=program or "".join(_program) or _script() or "python",
    )


def _script() -> str:
    """The script that runs; of ``python -m package`` the package, as all are a ``__main__.py``."""
    path = sys.argv[0] if sys.argv else ""
    folder, name = os.path.split(path)
    return (os.path.basename(folder) or name) if name == "__main__.py" else name


def boot_id() -> str:
    """The same text for all processes of one running kernel, "" where that cannot be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_of(pid: int) -> int | None:
    """Start time of a process, None when there is none or it cannot be told.

    Linux: field 22 of ``/proc/<pid>/stat``, in clock ticks since boot. macOS: microseconds.
    """
    fields = _stat_fields(pid)
    if fields is not None:
        return int(fields[19])
    found = _darwin_process(pid)
    return None if found is None else found[0]


def started_at_ms(pid: int) -> int:
    """Start time of a process in epoch milliseconds, 0 when it cannot be told."""
    start = start_of(pid)
    return _epoch_ms(start) if start else 0


def booted_at_ms() -> int:
    """When this machine started, in epoch milliseconds by its clock; 0 when it cannot be told."""
    return _epoch_ms(0) if not _IS_DARWIN else 0


def is_beyond_uptime(start: int) -> bool:
    """Whether no process of this boot can have started at ``start`` (Linux: clock ticks)."""
    try:
        with open("/proc/uptime", "rb") as file:
            up_s = float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return False
    return start > (up_s + 1.0) * os.sysconf("SC_CLK_TCK")


def pid_numbers(pid: int) -> tuple[int, ...]:
    """A process's numbers, from our pid namespace inwards; empty when they cannot be told."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            line = next(line for line in file if line.startswith(b"NSpid:"))
    except (OSError, StopIteration):
        return ()
    return tuple(int(word) for word in line.split()[1:])


def liveness(pid: int) -> Liveness:
    """Whether a process runs. Another user's process is alive; a zombie holds no lock."""
    if pid <= 0:
        return "gone"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass  # it exists, and belongs to somebody else
    except (OSError, OverflowError):
        return "unknown"
    fields = _stat_fields(pid)
    if fields is not None:
        return "zombie" if fields[0] in _ZOMBIE_STATES else "alive"
    found = _darwin_process(pid)
    return "zombie" if found is not None and found[1] == 5 else "alive"


def _stat_fields(pid: int) -> list[str] | None:
    """Fields 3 and later of ``/proc/<pid>/stat``."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The command name may hold spaces and brackets: the last bracket ends it.
    fields = text[text.rfind(b")") + 2 :].decode("ascii", "replace").split()
    return fields if len(fields) > 19 else None


def _pid_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _epoch_ms(start: int) -> int:
    if _IS_DARWIN:
        return start // 1000
    try:
        with open("/proc/stat", "rb") as file:
            booted = next(line for line in file if line.startswith(b"btime "))
    except (OSError, StopIteration):
        return 0
    return int(booted.split()[1]) * 1000 + start * 1000 // os.sysconf("SC_CLK_TCK")


def _darwin_process(pid: int) -> tuple[int, int] | None:
    """(start in microseconds, state) from ``struct kinfo_proc``."""
    if not _IS_DARWIN:
        return None
    name = (ctypes.c_int * 4)(1, 14, 1, pid)  # CTL_KERN, KERN_PROC, KERN_PROC_PID
    answer = ctypes.create_string_buffer(1024)
    size = ctypes.c_size_t(len(answer))
    library = ctypes.CDLL(None)
    if library.sysctl(name, 4, answer, ctypes.byref(size), None, 0) or size.value < 40:
        return None
    seconds, microseconds = struct.unpack_from("=qi", answer.raw, 0)
    return seconds * 1_000_000 + microseconds, answer.raw[36]
