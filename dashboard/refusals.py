"""Refusals that tell the person what was refused, why, and what to do next."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied


class RefusedError(PermissionDenied):
    """A 403 with its cause and the next step; ``views.errors`` shows both."""

    def __init__(self, cause: str, next_step: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step
