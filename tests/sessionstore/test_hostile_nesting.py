"""Entries nested deeper than any program means them to be."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sessionstore import SessionStoreError, Store
from tests.sessionstore.helpers import entry, file_of

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"


@pytest.mark.parametrize("depth", [200, 254, 300, 400, 500, 700, 900, 1100, 3000])
@pytest.mark.parametrize("key", [A, ODD])
def test_deeply_nested_entry_is_usable_or_refused_but_never_a_crash(
    store: Store, key: str, depth: int
) -> None:
    store.save({B: entry(), key: entry()})
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    path = file_of(store, key)
    body = b'{"sessionId": "s", "deep": ' + nested + b"}"
    if key == ODD:
        body = b'{"sessionKey": ".odd", "entry": ' + body + b"}"
    path.write_bytes(body)
    calls: list[Callable[[], object]] = [
        lambda: store.get(key),
        lambda: store.etag(key),
        lambda: store.patch(key, {"label": "x"}),
        lambda: store.patch(key, {"deep": {"a": 1}}, if_match="0" * 32),
        lambda: store.update(key, lambda old: {**(old or {}), "label": "y"}),
        lambda: store.save({key: entry(deep=json.loads(nested))}) if depth < 300 else None,
        lambda: store.update_all(lambda every: every[B].update(n=1)),
        store.load,
        store.problems,
    ]
    for call in calls:
        try:
            call()
        except SessionStoreError:
            continue
    assert store.load()[B]["n"] == 1
