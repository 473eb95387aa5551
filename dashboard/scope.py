"""Which agents the code that is running may see: set per request and per job, asked by the fleet.

Kept in a context variable, so that no service can forget to pass it on: a store outside the
scope is as if it were not there. Outside of requests and jobs (commands) there is no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Agents = frozenset[str] | None
"""The agents that somebody may see; None for all."""

Item = TypeVar("Item")

_current: ContextVar[Agents] = ContextVar("agent_scope", default=None)


def current() -> Agents:
    """The agents that may be seen; None for all."""
    return _current.get()


def allows(agent: str) -> bool:
    """Tell whether a store of this agent (``Reader.agent``) may be seen."""
    agents = _current.get()
    return agents is None or agent in agents


def both(one: Agents, other: Agents) -> Agents:
    """The agents that are in both scopes."""
    if one is None:
        return other
    return one if other is None else one & other


def enter(agents: Agents) -> None:
    """Change the scope up to the end of the :func:`limited_to` that is running."""
    _current.set(agents)


@contextmanager
def limited_to(agents: Iterable[str] | None) -> Iterator[None]:
    """Limit what is called inside to these agents; None lifts every limit."""
    token = _current.set(None if agents is None else frozenset(agents))
    try:
        yield
    finally:
        _current.reset(token)


def limited_items(items: Iterable[Item], agents: Agents) -> Iterator[Item]:
    """Give items on that are made, one by one, inside a scope; whoever takes them is not in it.

    For the body of a streaming answer, which is made after the request has left its scope.
    """
    iterator = iter(items)
    while True:
        with limited_to(agents):
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item
