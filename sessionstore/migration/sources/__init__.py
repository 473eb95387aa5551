"""Reading every older form of a store, without changing anything.

What is not an entry is a finding, never dropped silently (layout-variants §7.3).
"""

from .collected import Collected, Row

__all__ = ["Collected", "Row"]
