"""The agents that there are, by the names that scopes go by."""

from __future__ import annotations

from .fleet import fleet


def known_agents() -> list[str]:
    """Agents of every store in scope, also of those that are not opened."""
    scan = fleet().scan()
    opened = {reader.agent for reader in scan.readers}
    return sorted(opened | {skipped.agent for skipped in scan.skipped})
