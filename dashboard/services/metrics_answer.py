"""The answer of ``/metrics``: put together at most every few seconds, shared by all who ask.

It changes nothing. Totals come from files that a job runner keeps (:mod:`.metrics_follow`), so
every worker gives the same; how stores are now is looked up within the budget of a page.
"""

from __future__ import annotations

import gzip
import threading
import time

from prometheus_client.exposition import choose_encoder

from dashboard import scope
from sessionstore.metrics import Histogram

from .fleet import fleet, page_budget_s
from .metrics_agents import chosen, sampled
from .metrics_kept import tell_backups, tell_console, tell_migrations, tell_own_cost
from .metrics_now import look, tell_now
from .metrics_shapes import Families
from .metrics_text import Printer
from .metrics_totals import read_totals
from .metrics_writers import tell_writers

SHARED_S = 5.0
"""How long an answer is shared. Prometheus asks every 15 s or less often."""
_MOST_FORMATS = 4

_guard = threading.Lock()
_printers: dict[str, Printer] = {}
_answers: dict[str, tuple[float, object, bytes, str]] = {}


def answer(accept: str) -> tuple[bytes, str]:
    """The text, gzipped, and its content type: Prometheus', or OpenMetrics where asked for.

    Most samples are zero, so it is a fortieth as long as the text.
    """
    encoder, content_type = choose_encoder(accept)
    with _guard:  # whoever asks meanwhile gets the same
        now_s, stores = time.monotonic(), fleet()
        known = _answers.get(content_type)
        if known is not None and known[1] is stores and now_s - known[0] < SHARED_S:
            return known[2], known[3]
        if len(_printers) >= _MOST_FORMATS:
            _printers.clear()
            _answers.clear()
        printer = _printers.get(content_type) or Printer(encoder)
        _printers[content_type] = printer
        text = gzip.compress(printer.text(_families()), compresslevel=1, mtime=0)
        _answers[content_type] = (now_s, stores, text, content_type)
    return text, content_type


def unpacked(packed: bytes) -> bytes:
    """The text of an answer as it is."""
    return gzip.decompress(packed)


def forget() -> None:
    """Share no earlier answer, for tests."""
    with _guard:
        _answers.clear()


def _families() -> Families:
    families = Families()
    with scope.limited_to(None):
        budget_s = page_budget_s()
        readers, omitted = chosen(fleet().scan().readers)
        seen = look(readers, budget_s=budget_s, max_age_s=SHARED_S)
        tell_now(families, seen)
        kept = {reader.id: read_totals(reader.id) for reader in readers}
        stores = [
            (one.agent, one.layout, totals)
            for reader, one in zip(readers, seen, strict=True)
            if (totals := kept[reader.id]) is not None
        ]
        own: dict[str, Histogram] = {}
        for _agent, _layout, totals in stores:
            for operation, histogram in totals.own.items():
                own.setdefault(operation, Histogram({})).merge(histogram)
        tell_writers(families, stores, own)
        times: dict[str, int] = {}
        at_ms = sampled()
        for reader in readers:
            if reader.id in at_ms:
                oldest = min(times.get(reader.agent, at_ms[reader.id]), at_ms[reader.id])
                times[reader.agent] = oldest
        for agent, oldest_ms in times.items():
            name = "collector_last_sample_timestamp_seconds"
            families.value(name, (agent,), oldest_ms / 1000)
        families.value("collector_agents_omitted", (), omitted)
        tell_backups(families, readers, budget_s=budget_s)
        tell_migrations(families, readers)
    tell_console(families)
    tell_own_cost(families)
    return families
