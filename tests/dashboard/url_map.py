"""Every address of the console with made-up arguments, for tests that walk all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from dashboard.roles import declared_role

#: What may be opened without signing in, and nothing else.
OPEN_NAMES = frozenset({"login", "setup", "livez", "readyz", "csp-report", "favicon"})


@dataclass(frozen=True, slots=True)
class Address:
    """One route: a concrete path, its name and what its view has declared."""

    path: str
    name: str
    declared: str | None


def all_addresses() -> list[Address]:
    """Return all routes, those of included URL maps too."""
    return list(_walk(get_resolver().url_patterns, "/"))


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[Address]:
    for pattern in patterns:
        path = prefix + _filled(pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield Address(path, pattern.name or "", declared_role(pattern.callback))


def _filled(pattern: URLPattern | URLResolver) -> str:
    """Fill a route with the shortest value of "a" or "1" that each converter takes."""
    route: Any = pattern.pattern
    text = str(route)
    for name, converter in route.converters.items():
        candidates = (letter * length for length in range(1, 70) for letter in "a1")
        value = next(text for text in candidates if re.fullmatch(converter.regex, text))
        text = re.sub(f"<([^<>]+:)?{name}>", value, text)
    return text
