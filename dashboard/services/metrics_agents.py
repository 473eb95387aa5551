"""Which agents an answer has room for, and when each was last sampled."""

from __future__ import annotations

from collections.abc import Sequence

from .metrics_totals import read, read_totals
from .readers import Reader

MOST_AGENTS = 50
"""An agent has some 2,500 samples, as each is there from zero."""
SAMPLED = "sampled"
"""The file that says when each store was last read."""
_NEVER = 2**62


def chosen(readers: Sequence[Reader]) -> tuple[list[Reader], int]:
    """The stores to tell of, and how many agents are left out.

    Those that were told of first stay, so that agents that are made in masses push out none.
    """
    agents: dict[str, int] = {}
    is_crowded = len(readers) > MOST_AGENTS
    for reader in readers:
        totals = read_totals(reader.id) if is_crowded else None
        since_ms = totals.since_ms if totals else _NEVER
        agents[reader.agent] = min(agents.get(reader.agent, _NEVER), since_ms)
    first = sorted(agents, key=lambda agent: (agents[agent], agent))[:MOST_AGENTS]
    kept = frozenset(first)
    return [reader for reader in readers if reader.agent in kept], len(agents) - len(first)


def sampled() -> dict[str, int]:
    """When the reports of each store were last read, epoch ms by store id."""
    found: dict[str, int] | None = read(SAMPLED, dict[str, int])
    return found or {}
