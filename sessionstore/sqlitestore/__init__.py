"""Sessions of OpenClaw 2026.8 and later, read from its database and never written.

::

    store = SqliteStore(store_paths("…/agents/main/sessions/sessions.json"))
    store.keys(); store.get(key); store.history(key); store.problems()

:func:`sessionstore.store.open_store` uses it where an agent has nothing else, so every read of a
``Store`` works; every write raises :class:`~sessionstore.errors.UnsupportedStoreError`.
"""

from .schemas import KNOWN_VERSIONS
from .store import REFUSED_RULE, SqliteStore, read_only_error
from .windows import Window

__all__ = ["KNOWN_VERSIONS", "REFUSED_RULE", "SqliteStore", "Window", "read_only_error"]
