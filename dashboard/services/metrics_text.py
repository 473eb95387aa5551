"""An answer as text, by the client library's own encoders.

An agent has some 2,500 samples, nearly all in histograms that nobody has added to since the last
answer; printing those of 50 agents takes a second of processor time. So each histogram is printed
for itself, and what was printed is kept for as long as its counts stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from .metrics_names import BY_NAME
from .metrics_shapes import Counted, Families, empty_family

Encoder = Callable[[Collector], bytes]


class Printer:
    """Prints answers in one format. Not thread-safe."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._end = encoder(_Of([]))  # what ends every text of this format
        self._heads = {name: self._printed([empty_family(name)]) for name in BY_NAME}
        self._kept: dict[Counted, bytes] = {}

    def text(self, families: Families) -> bytes:
        """All families in the order of their names' list, also those without a sample."""
        kept: dict[Counted, bytes] = {}
        parts: list[bytes] = []
        for name in BY_NAME:
            if name in families.plain:
                parts.append(self._printed([families.plain[name]]))
                continue
            head = self._heads[name]
            parts.append(head)
            for counted in families.counted[name]:
                lines = self._kept.get(counted)
                if lines is None:
                    lines = self._printed([counted.family()]).removeprefix(head)
                kept[counted] = lines
                parts.append(lines)
        self._kept = kept
        parts.append(self._end)
        return b"".join(parts)

    def _printed(self, families: list[Family]) -> bytes:
        return self._encoder(_Of(families)).removesuffix(self._end)


class _Of(Collector):
    """Families that are there already, for the library's encoders."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families
