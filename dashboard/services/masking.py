"""The mask towards programs and forms: values as they may leave, and masks that must not return."""

from __future__ import annotations

from typing import Any

from sessionstore.entries import MASK, redact

__all__ = ["MASK", "holds_mask", "masked_entry", "masked_value"]


def masked_value(value: Any, *, name: str) -> Any:
    """A field's JSON value with its secrets masked."""
    return redact(value, name=name)


def masked_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with its secrets masked."""
    masked: dict[str, Any] = redact(entry)
    return masked


def holds_mask(value: Any) -> bool:
    """Whether a value is or contains a mask: then it was never the value, and must not be saved."""
    if isinstance(value, str):
        return MASK in value
    if isinstance(value, dict):
        return any(MASK in name or holds_mask(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return any(map(holds_mask, value))
    return False
