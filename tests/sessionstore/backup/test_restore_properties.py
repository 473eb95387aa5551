"""Restoring fields of a session is a merge: laws that hold for any entries."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore import open_store, undo
from sessionstore.backup import create_backup, plan_restore, restore
from sessionstore.backup.restore_comparing import with_fields
from sessionstore.entries import NORMALISED_FIELDS, equal, normalise

KEY = "agent:main:a"
NAMES = ("label", "n", "flags", "totalTokens", "odd name", "ünïcode")
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
ENTRIES = st.dictionaries(st.sampled_from(NAMES), VALUES).map(
    lambda fields: {"sessionId": "s-1", "updatedAt": 5, **fields}
)
ROUTED = st.dictionaries(
    st.sampled_from(["lastChannel", "lastTo", "channel", "label"]), st.sampled_from(["a", "B "])
)


@given(now=ENTRIES, then=ENTRIES, names=st.lists(st.sampled_from(NAMES), min_size=1))
def test_named_fields_are_as_then_and_all_others_as_now(
    now: dict[str, Any], then: dict[str, Any], names: list[str]
) -> None:
    after = with_fields(now, then, names)
    for name in {*now, *then}:
        wanted = then if name in names else now
        assert (name in after) == (name in wanted)
        assert name not in wanted or equal(after[name], wanted[name])


@given(now=ROUTED.map(normalise), then=ROUTED.map(normalise))
def test_fields_that_depend_on_each_other_agree(now: dict[str, Any], then: dict[str, Any]) -> None:
    after = with_fields(now, then, ["lastChannel"])
    assert equal(after, normalise(after))
    assert after.get("label") == now.get("label")
    assert "lastChannel" in NORMALISED_FIELDS


@settings(max_examples=12)
@given(
    then=ENTRIES,
    now=ENTRIES,
    written=st.dictionaries(st.sampled_from(["by writer", "n2"]), st.integers()),
    names=st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
)
def test_restored_fields_keep_what_writers_wrote_and_undo_brings_them_back(
    then: dict[str, Any], now: dict[str, Any], written: dict[str, Any], names: list[str]
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(Path(folder) / "state" / "sessions.json") as store,
    ):
        store.put(KEY, then)
        backup = create_backup(store, root=Path(folder) / "backups", reason="test")
        store.put(KEY, now)
        plan = plan_restore(backup, store, keys=[KEY], fields=names)
        store.update(KEY, lambda entry: {**(entry or {}), **written})
        report = restore(plan, gateway_lock_dir=Path(folder))
        after = store.get(KEY) or {}
        assert equal(after, {**with_fields(now, then, names), **written})
        for version_id in report.versions:
            undo(store, version_id)
        assert equal(store.get(KEY), {**now, **written}), json.dumps(now)
