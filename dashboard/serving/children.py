"""Child processes that live and end together: when one ends, all end.

But for those that are started again when they end: they may fail (a job that needs too much
memory, say) without taking the console away that shows it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

_STOP_AFTER_S = 15.0
_POLL_S = 0.1
_PR_SET_PDEATHSIG = 1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
#: A process that ran for so long had a good start; its next one is not put off for long.
_GOOD_RUN_S = 60.0


@dataclass(slots=True)
class _Restart:
    """How a process is started again: its command line, and when, with growing pauses."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    started_s: float = field(default_factory=time.monotonic)
    pause_s: float = _FIRST_PAUSE_S
    again_s: float | None = None


class Children:
    """Starts processes, waits until one ends or a signal asks to stop, and stops the rest."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts: dict[str, _Restart] = {}
        self._signals = 0

    def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start one process in its own group, so that a Ctrl-C reaches it only through us."""
        self._running[name] = subprocess.Popen(
            arguments,
            cwd=self._directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )

    def start_again_and_again(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Start a process, and once more whenever it ends, after 1 s and then later and later."""
        self._restarts[name] = _Restart(arguments, environment)
        self.start(name, arguments, environment)

    def wait(self) -> int:
        """Return 0 after SIGINT or SIGTERM, else the exit status of the first child to end."""
        previous = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            status = self._first_status()
            self._stop()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return status

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _first_status(self) -> int:
        while not self._signals:
            for name, child in list(self._running.items()):
                if child.poll() is None:
                    continue
                if name not in self._restarts:
                    _say(f"{name} ended with status {child.returncode}")
                    return child.returncode or 1
                self._restart(name, child.returncode)
            time.sleep(_POLL_S)
        return 0

    def _restart(self, name: str, status: int) -> None:
        """Plan the next start of a process that ended, or start it when its time has come."""
        restart, now_s = self._restarts[name], time.monotonic()
        if restart.again_s is None:
            ran_long = now_s - restart.started_s > _GOOD_RUN_S
            pause_s = _FIRST_PAUSE_S if ran_long else restart.pause_s
            restart.pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            restart.again_s = now_s + pause_s
            _say(f"{name} ended with status {status}; starting it again in {pause_s:.0f} s")
        elif now_s >= restart.again_s:
            restart.started_s, restart.again_s = now_s, None
            self.start(name, restart.arguments, restart.environment)

    def _stop(self) -> None:
        """Ask all to end, and kill what has not after a while or at a second signal."""
        asked = self._signals
        for child in self._running.values():
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + _STOP_AFTER_S
        while any(child.poll() is None for child in self._running.values()):
            if time.monotonic() > deadline or self._signals > asked:
                self._kill()
                return
            time.sleep(_POLL_S)

    def _kill(self) -> None:
        for child in self._running.values():
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201


def _end_with_parent() -> None:
    # Even a kill -9 of the parent must not leave a server or writers behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
