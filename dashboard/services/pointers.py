"""Follow the pointer to a value in an entry, as ``tree.child`` writes it.

It is a JSON pointer (RFC 6901), but a field name that is masked, because it is a secret itself,
is written ``~2`` and its place among the names of its object as they look masked.
"""

from __future__ import annotations

import re
from typing import Any

from .tree import masked

LONGEST = 2_000
_PLACE = re.compile(r"~2(\d{1,6})")
_INDEX = re.compile(r"0|[1-9]\d{0,8}")

Step = str | int


class GoneError(LookupError):
    """Nothing stands at that place."""


def steps_to(value: Any, pointer: str) -> list[Step]:
    """The raw names and positions that lead to a value.

    Raises:
        GoneError: the pointer is none, or leads nowhere.
    """
    if not pointer.startswith("/") or len(pointer) > LONGEST:
        raise GoneError
    steps: list[Step] = []
    for written in pointer[1:].split("/"):
        step = _step(value, written)
        steps.append(step)
        value = value[step]
    return steps


def _step(value: Any, written: str) -> Step:
    if isinstance(value, list):
        if not _INDEX.fullmatch(written) or int(written) >= len(value):
            raise GoneError
        return int(written)
    if not isinstance(value, dict):
        raise GoneError
    place = _PLACE.fullmatch(written)
    name = (
        written.replace("~1", "/").replace("~0", "~")
        if place is None
        else _name_at(value, int(place[1]))
    )
    if name not in value:
        raise GoneError
    return name


def _name_at(value: dict[str, Any], place: int) -> str:
    """The name that masking shows at that place; of names that look alike, the last stays."""
    shown = {masked(name): name for name in value}
    if place >= len(shown):
        raise GoneError
    return list(shown.values())[place]


def value_at(value: Any, steps: list[Step]) -> Any:
    """The value at the end of the steps."""
    for step in steps:
        value = value[step]
    return value


def alone(value: Any, steps: list[Step]) -> Any:
    """The value inside its containers, with only the texts beside it, by which it is masked."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        beside = [item if isinstance(item, str) else None for item in value]
        beside[step] = alone(value[step], rest)
        return beside
    texts = {
        name: text
        for name, text in value.items()
        if isinstance(text, str) and masked(name) == name != masked(step)
    }
    return texts | {step: alone(value[step], rest)}


def masked_steps(steps: list[Step]) -> list[Step]:
    """The same steps through the masked value."""
    return [step if isinstance(step, int) else masked(step) for step in steps]
