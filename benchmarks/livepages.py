"""Browsers that keep every live screen open, at the pace that the pages themselves ask for."""

from __future__ import annotations

import heapq
import html
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.synchronize import Event

from .console import Client, Console
from .viewers import Load, at_once
from .workers import FORK

RELOAD_S = 60.0
"""How often somebody loads a page again that does not look by itself."""
SCRAPE_S = 15.0

_LIVE = re.compile(r"<div (?=[^>]*\bdata-live\b)([^>]*)>")
_ATTRIBUTE = re.compile(r"""([\w-]+)=(?:"([^"]*)"|'([^']*)')""")
_EVERY = re.compile(r"\bevery (\d+(?:\.\d+)?)s")


@dataclass(slots=True)
class LivePage:
    """One open tab: its page first, then what its live part asks for, until that says stop."""

    client: Client
    address: str
    _asks: dict[str, str] = field(default_factory=dict)

    def look(self) -> float:
        """Look once; returns in how many seconds to look again."""
        if self._asks:
            path = html.unescape(self._asks["hx-get"])
            headers = json.loads(html.unescape(self._asks.get("hx-headers", "{}")))
            target = self._asks.get("hx-target", "").removeprefix("#")
            known = {"HX-Request": "true", "HX-Target": target, "HX-Current-URL": self.address}
            body = self.client.look(path, {**known, **headers})
        else:
            body = self.client.get(self.address)
        found = _LIVE.search(body.decode())
        if found is None:
            self._asks = {}  # not live, or no longer: the next look is a reload
            return RELOAD_S
        asks = {name: one or other for name, one, other in _ATTRIBUTE.findall(found[1])}
        self._asks = asks
        every = _EVERY.search(asks.get("hx-trigger", ""))
        return float(every[1]) if every else RELOAD_S


class Watching(Load):
    """Browsers with a tab for each address, and one monitor that scrapes ``/metrics``.

    ``looks`` counts what was answered: a watch that did not look would prove nothing.
    """

    def __init__(
        self, console: Console, addresses: list[str], browsers: int, metrics_token: str
    ) -> None:
        self._looks = FORK.Value("q", 0)
        counted = self._count

        def body(stop: Event) -> None:
            phases = [number / browsers for number in range(browsers)]
            calls = [partial(_browse, console, addresses, one, stop, counted) for one in phases]
            at_once([*calls, partial(_scrape, console, metrics_token, stop, counted)])

        super().__init__(body)

    def _count(self) -> None:
        with self._looks.get_lock():
            self._looks.value += 1

    @property
    def looks(self) -> int:
        """How many looks were answered by now."""
        return int(self._looks.value)


def _browse(
    console: Console,
    addresses: list[str],
    phase: float,
    stop: Event,
    counted: Callable[[], None],
) -> None:
    """One browser: its tabs in turn, each when it is due; opened over the first seconds."""
    client = console.client()
    tabs = [LivePage(client, address) for address in addresses]
    began = time.monotonic()
    due = [(began + phase + number * 0.5, number) for number in range(len(tabs))]
    heapq.heapify(due)
    while not stop.wait(max(due[0][0] - time.monotonic(), 0)):
        _, number = heapq.heappop(due)
        pause_s = tabs[number].look()
        counted()
        heapq.heappush(due, (time.monotonic() + pause_s, number))


def _scrape(console: Console, token: str, stop: Event, counted: Callable[[], None]) -> None:
    client = Client(console.port)
    while not stop.wait(SCRAPE_S):
        client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
        counted()
