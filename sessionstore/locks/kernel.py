"""What a lock protocol offers the rest of this package."""

from __future__ import annotations

from typing import Protocol


class Attempt(Protocol):
    """Exclusive mode being asked for or held, on descriptors of its own."""

    def try_all(self) -> bool:
        """Shut the turnstile and take the store if both are free now."""

    def shut(self) -> None:
        """Wait for the turnstile and keep it: no new session lock is given."""

    def reopen(self) -> None:
        """Let sessions pass again."""

    def take(self) -> None:
        """Wait until no session is locked and keep it so."""

    def close(self) -> None:
        """Release everything. What a call in progress still obtains is released at once."""


class Kernel(Protocol):
    """Locks between processes. Within one process, one thread at a time deals with one offset."""

    def try_key(self, offset: int) -> bool:
        """Pass the turnstile and take the key if both are free now."""

    def try_key_inside(self, offset: int) -> bool:
        """Take the key if it is free now; for a thread that is past the turnstile already."""

    def wait_key(self, offset: int, *, inside: bool) -> None:
        """As the two above, waiting. Blocks without limit, so it runs in a helper thread."""

    def free_key(self, offset: int) -> None:
        """Release the key."""

    def open_attempt(self) -> Attempt:
        """Begin to ask for exclusive mode."""

    def is_current(self) -> bool:
        """Whether the lock file at the path is still the one that we lock."""

    def close(self) -> None:
        """Release everything, now or when the last waiting call returns."""

    def forget_after_fork(self) -> None:
        """In a forked child: close our copies; the locks stay the parent's."""
