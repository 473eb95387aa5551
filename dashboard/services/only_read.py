"""Stores that are read and never written: those in OpenClaw's own database."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from sessionstore.layout import detect_layout

from .fleet import page_budget_s
from .problems import Problem, ProblemError
from .readers import Reader

SQLITE = "sqlite"


def is_only_read(reader: Reader) -> bool:
    """Whether nothing in this store can be changed; one that cannot be looked at may be."""
    summary = reader.summary()
    if summary is not None:
        return summary.layout == SQLITE
    return reader.read(detect_layout, budget_s=page_budget_s()) == SQLITE


def why_only_read() -> str:
    """The reason, in one sentence."""
    return _("Its sessions are in OpenClaw's own database, which is only read here.")


def refuse_only_read(reader: Reader) -> None:
    """Let nothing be done to a store that is only read.

    Raises:
        ProblemError: it is one (status 409).
    """
    if is_only_read(reader):
        raise ProblemError(
            Problem(
                _("The store of %s is only read") % reader.name,
                f"{why_only_read()} {_('Nothing was changed.')}",
                _("Change the session through the gateway: it would not notice a write from here."),
                409,
            )
        )


def writable(readers: Iterable[Reader]) -> list[Reader]:
    """Those that may be changed."""
    return [reader for reader in readers if not is_only_read(reader)]
