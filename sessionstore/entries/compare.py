"""Equality of JSON values, and the one number that every entry is ordered by."""

from __future__ import annotations

import math
from typing import Any, TypeGuard


def equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same value. Order of fields does not count."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            equal(value, right[name]) for name, value in left.items()
        )
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


def is_finite_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value orders entries: a number that is neither bool, NaN nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def updated_at_ms(entry: dict[str, Any]) -> int | None:
    """The entry's ``updatedAt`` in epoch milliseconds; None when it is no finite number."""
    value = entry.get("updatedAt")
    return int(value) if is_finite_number(value) else None
