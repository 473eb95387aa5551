"""Every address of the console, filled with made-up or real arguments, for tests that walk all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from hypothesis import find, settings
from hypothesis.strategies import from_regex

from dashboard.roles import declared_role, wants_token

#: What may be opened without signing in, and nothing else.
OPEN_NAMES = frozenset(
    {
        *("login", "sso_login", "setup", "invite", "livez", "readyz", "metrics"),
        *("csp-report", "favicon"),
    }
)


@dataclass(frozen=True, slots=True)
class Address:
    """One route: its name, what its view has declared, and the arguments it takes.

    ``by_method`` are the roles of methods that ask for more than the view itself.
    ``converters`` are the regular expressions of its arguments. ``wants_token``: it is for
    programs. ``works_when_read_only``: its view takes POST in read-only mode too.
    """

    route: str
    name: str
    declared: str | None
    wants_token: bool = False
    works_when_read_only: bool = False
    by_method: Mapping[str, str] = field(default_factory=dict, hash=False)
    converters: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def path(self) -> str:
        """The address with made-up arguments."""
        return self.at({})

    def required(self, method: str) -> str:
        """The role that a method asks for."""
        return self.by_method.get(method) or self.declared or "admin"

    def at(self, values: Mapping[str, object]) -> str:
        """The address with these arguments; those that do not fit or are missing are made up."""
        text = self.route
        for name, regex in self.converters.items():
            value = str(values.get(name, ""))
            if not re.fullmatch(regex, value):
                value = _made_up(regex)
            text = re.sub(f"<([^<>]+:)?{name}>", value, text)
        return text


def all_addresses() -> list[Address]:
    """Return all routes, those of included URL maps too."""
    return list(_walk(get_resolver().url_patterns, "/", {}))


def _walk(
    patterns: list[URLPattern | URLResolver], prefix: str, outer: Mapping[str, str]
) -> Iterator[Address]:
    for pattern in patterns:
        route: Any = pattern.pattern
        converters = {**outer, **{name: c.regex for name, c in route.converters.items()}}
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, f"{prefix}{route}", converters)
        else:
            view = pattern.callback
            yield Address(
                route=f"{prefix}{route}",
                name=pattern.name or "",
                declared=declared_role(view),
                wants_token=wants_token(view),
                works_when_read_only=hasattr(view, "allowed_when_read_only"),
                by_method={
                    method: one.role for method, one in getattr(view, "operations", {}).items()
                },
                converters=converters,
            )


@cache
def _made_up(regex: str) -> str:
    """The plainest text that a converter takes, where that will do: "a" or "1" some times."""
    candidates = (letter * length for length in range(1, 70) for letter in "a1")
    plain = next((text for text in candidates if re.fullmatch(regex, text)), None)
    if plain is not None:
        return plain
    shortest: str = find(
        from_regex(regex, fullmatch=True), lambda text: True, settings=settings(database=None)
    )
    return shortest
