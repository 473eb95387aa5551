"""What a caller's ``progress`` raises, carried past everything that handles errors of the store."""

from __future__ import annotations

from .shapes import Progress


class Stopped(BaseException):
    """Never leaves ``migrate`` and ``rollback``; they raise ``error``."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def stopping(progress: Progress | None) -> Progress | None:
    """The same, with whatever it raises wrapped."""
    if progress is None:
        return None
    asked = progress

    def call(done: int, total: int, item: str) -> None:
        try:
            asked(done, total, item)
        except BaseException as error:
            raise Stopped(error) from error

    return call
