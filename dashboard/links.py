"""Addresses of pages whose state is their query string, changed one parameter at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Link:
    """A path and its query. Every change gives another link, always back on the first page."""

    path: str
    items: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.path}?{urlencode(self.items)}" if self.items else self.path

    def at(self, path: str) -> Link:
        """The same query at another path."""
        return replace(self, path=path)

    def drop(self, *names: str) -> Link:
        """Without these parameters."""
        return replace(self, items=tuple(item for item in self.items if item[0] not in names))

    def set(self, name: str, value: str | None) -> Link:
        """With one value for a parameter; None removes it."""
        rest = self.drop(name, "page").items
        return replace(self, items=rest if value is None else (*rest, (name, value)))

    def toggle(self, name: str, value: str) -> Link:
        """With the value added to a parameter that may have several, or taken away."""
        rest = self.drop("page").items
        if (name, value) in rest:
            return replace(self, items=tuple(item for item in rest if item != (name, value)))
        return replace(self, items=(*rest, (name, value)))

    def page(self, number: int) -> Link:
        """At another page of the same list."""
        rest = self.drop("page").items
        return replace(self, items=rest if number <= 1 else (*rest, ("page", str(number))))
