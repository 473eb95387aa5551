"""Reading every older form of a store, without changing anything.

What is not an entry is a finding, never dropped silently (layout-variants §7.3).
"""

from .collected import Collected, Row
from .collecting import collect
from .directory import DirectoryState, classify

__all__ = ["Collected", "DirectoryState", "Row", "classify", "collect"]
