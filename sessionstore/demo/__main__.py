"""``python -m sessionstore.demo DIRECTORY``: build a demo, and with ``--writers`` keep it alive."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .state import build, is_demo
from .writers import run_writers, write_until_stopped


def main() -> int:
    """Build the demo unless it is there; then write to it if asked."""
    parser = argparse.ArgumentParser(prog="python -m sessionstore.demo", description=__doc__)
    parser.add_argument("directory", type=Path, help="a new, empty or demo directory")
    parser.add_argument("--sessions", type=int, default=600, help="how many to invent")
    parser.add_argument("--seed", type=int, default=7, help="the same seed, the same sessions")
    parser.add_argument("--writers", action="store_true", help="write until stopped")
    parser.add_argument("--processes", type=int, default=3, help="writer processes")
    parser.add_argument("--rate", type=float, default=20.0, help="updates per second and process")
    parser.add_argument("--writer", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, default=os.getppid(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.writer is not None:
        if not is_demo(options.directory):
            parser.error(f"{options.directory} is not a demo")
        write_until_stopped(
            options.directory, options.writer, rate=options.rate, parent=options.parent
        )
        return 0
    if not is_demo(options.directory):
        build(options.directory, sessions=options.sessions, seed=options.seed)
    if options.writers:
        return run_writers(options.directory, processes=options.processes, rate=options.rate)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
