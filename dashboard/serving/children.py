"""Child processes that live and end together: when one ends, all end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

_STOP_AFTER_S = 15.0
_POLL_S = 0.1
_PR_SET_PDEATHSIG = 1


class Children:
    """Starts processes, waits until one ends or a signal asks to stop, and stops the rest."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
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
            for name, child in self._running.items():
                if child.poll() is not None:
                    print(f"{name} ended with status {child.returncode}", file=sys.stderr)  # noqa: T201
                    return child.returncode or 1
            time.sleep(_POLL_S)
        return 0

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


def _end_with_parent() -> None:
    # Even a kill -9 of the parent must not leave a server or writers behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
