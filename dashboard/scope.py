"""Which agents the code that is running may see: set per request and per job, asked by the fleet.

Kept in a context variable, so that no service can forget to pass it on: a store outside the
scope is as if it were not there. Outside of requests and jobs (commands) there is no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[frozenset[str] | None] = ContextVar("agent_scope", default=None)


def current() -> frozenset[str] | None:
    """The agents that may be seen; None for all."""
    return _current.get()


def allows(agent: str) -> bool:
    """Tell whether a store of this agent (``Reader.agent``) may be seen."""
    agents = _current.get()
    return agents is None or agent in agents


@contextmanager
def limited_to(agents: Iterable[str] | None) -> Iterator[None]:
    """Limit what is called inside to these agents; None lifts every limit."""
    token = _current.set(None if agents is None else frozenset(agents))
    try:
        yield
    finally:
        _current.reset(token)
