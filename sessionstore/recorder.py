"""What the store tells whoever measures it."""

from __future__ import annotations

from typing import Literal, Protocol

Outcome = Literal["written", "unchanged", "removed", "failed", "timeout", "conflict", "held"]
"""How an update ended. ``held`` is the whole store's lock, kept by something else than an update:
a migration's switch, a restore, a snapshot, an adoption."""


class Recorder(Protocol):
    """Receives one call per finished update; must be quick (≤ 1 µs) and must not raise.

    Handed to ``open_store(recorder=...)``, and then takes the place of the built-in reporting.
    Called after the lock is released, from any thread.
    """

    def record(
        self,
        operation: str,
        outcome: Outcome,
        wait_ns: int,
        hold_ns: int,
        write_ns: int,
        written_bytes: int,
        contended: bool,
    ) -> None:
        """One update: nanoseconds waited for the lock, held it, and spent replacing the file."""
