"""What may stand for a store and a session in an address: ids from a scan, never a path."""

from __future__ import annotations

from django.urls import register_converter

from .services import refs


class StoreIdConverter:
    """A store's id: twelve hex digits."""

    regex = f"[0-9a-f]{{{refs.STORE_LENGTH}}}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class SessionRefConverter(StoreIdConverter):
    """A session's id: short, or the whole digest where two begin alike."""

    regex = f"(?:[0-9a-f]{{{refs.SESSION_LENGTH}}}|[0-9a-f]{{{refs.FULL_LENGTH}}})"


def register() -> None:
    """Make them known as ``store`` and ``ref``; called once, before any address is made."""
    register_converter(StoreIdConverter, "store")
    register_converter(SessionRefConverter, "ref")
