"""Which processes of this machine are whose: containers, and numbers of other pid namespaces.

A pid in a lock file is the number that its owner had in its own container. From the machine's
own pid namespace the kernel tells each process's number in its container (``NSpid``), and the
start time is the same clock everywhere, so an owner in a container is found there. From inside
a container nobody outside it can be seen. Sources: proc(5), pid_namespaces(7), cgroups(7).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from .identity import booted_at_ms, own_identity, pid_numbers, start_of, started_at_ms
from .legacypayload import LegacyFile
from .mounts import file_system_of
from .procfs import FileId, Openers, all_pids, command_of

ELSEWHERE = "another container"

_MACHINE_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO of include/linux/proc_ns.h
_HEX_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
_LXC = re.compile(r"/lxc(?:\.payload)?[./]([A-Za-z0-9_-]{1,64})")
_SHORT = 12


class Neighbours:
    """One look at the processes; each thing is read when it is asked for, once."""

    def __init__(self, files: Iterable[LegacyFile] = ()) -> None:
        self._files = {found.stamp[:2] for found in files}
        self._containers: dict[int, str] = {}
        self._who: dict[int, tuple[int, str]] = {}
        self._systems: dict[Path, str] = {}
        self.own = own_identity()

    @cached_property
    def sees_machine(self) -> bool:
        """Whether every process of this machine can be seen, those in containers included."""
        if self.own.pid_namespace != _MACHINE_NAMESPACE:
            return False
        try:
            Path("/proc/1/status").read_bytes()
        except OSError:
            return False  # hidepid: other users' processes are not shown
        return True

    @cached_property
    def booted_at_ms(self) -> int:
        """When this machine started, by its clock; 0 where that cannot be told."""
        return booted_at_ms()

    def who(self, pid: int) -> tuple[int, str]:
        """Start time (epoch ms) and program of a process of ours."""
        found = self._who.get(pid)
        if found is None:
            found = self._who[pid] = started_at_ms(pid), command_of(pid)
        return found

    def container_of(self, pid: int) -> str:
        """The container that a process of ours runs in, "" where none is known."""
        found = self._containers.get(pid)
        if found is None:
            found = self._containers[pid] = _container_of(pid) or self._own_container
        return found

    def container_of_owner(self, namespace: int, pid: int, start: int) -> str:
        """The container of a process that gave its number in its own pid namespace."""
        if namespace == self.own.pid_namespace:
            return self.container_of(pid)
        inside = self.inside(pid, start)
        return (self.container_of(inside[0]) if inside else "") or ELSEWHERE

    def inside(self, pid: int, start: int | None) -> list[int]:
        """Processes of containers that have the number ``pid`` there, as we number them.

        With a start time, only those that started then.
        """
        by_start = self._by_start
        found = (
            by_start.get(start, [])
            if start is not None
            else [number for numbers in by_start.values() for number in numbers]
        )
        return [number for number in found if _is_inner_number(number, pid)]

    def file_system_of(self, folder: Path) -> str:
        """The kind of file system that a folder is on, "" where that is not known."""
        found = self._systems.get(folder)
        if found is None:
            found = self._systems[folder] = file_system_of(folder)
        return found

    def openers(self, found: LegacyFile) -> tuple[int, ...]:
        """Processes that have this very file open, as far as we may look."""
        return self._openers.of(_file_id(found))

    def may_be_open_unseen(self, found: LegacyFile) -> bool:
        """Whether a process of the file's owner is there that we may not look into."""
        return found.uid in self._openers.hidden_uids

    @cached_property
    def _openers(self) -> Openers:
        return Openers(self._files)

    @cached_property
    def _by_start(self) -> dict[int, list[int]]:
        starts: dict[int, list[int]] = {}
        for pid in all_pids():
            start = start_of(pid)
            if start is not None:
                starts.setdefault(start, []).append(pid)
        return starts

    @cached_property
    def _own_container(self) -> str:
        """Inside a container the control groups may say nothing; what is mounted does."""
        if self.own.pid_namespace in (0, _MACHINE_NAMESPACE):
            return ""
        match = re.search(r"/containers/([0-9a-f]{64})/", _text(Path("/proc/self/mountinfo")))
        return match[1][:_SHORT] if match else ""


def _file_id(found: LegacyFile) -> FileId:
    return found.stamp[0], found.stamp[1]


def _container_of(pid: int) -> str:
    text = _text(Path(f"/proc/{pid}/cgroup"))
    match = _HEX_ID.search(text)
    if match:
        return match[1][:_SHORT]
    named = _LXC.search(text)
    return named[1] if named else ""


def _is_inner_number(number: int, pid: int) -> bool:
    numbers = pid_numbers(number)
    return len(numbers) > 1 and numbers[-1] == pid


def _text(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, 1 << 20).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)
