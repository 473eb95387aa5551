"""Whatever a gateway writes into an entry, a look at it raises nothing and follows nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore.entries import decode
from sessionstore.layout import Scanned
from sessionstore.maintenance import examine
from sessionstore.maintenance.inventory_entries import facts_of
from sessionstore.maintenance.inventory_links import Linker
from sessionstore.maintenance.inventory_others import Others
from sessionstore.maintenance.shapes import Inventory
from sessionstore.paths import store_paths
from tests.sessionstore.helpers import NOW

TEXT = st.text(max_size=30) | st.sampled_from(
    ["/etc/passwd", "../../x.jsonl", "a\0b", "~/x", "agents/x/sessions/y.jsonl", "running", "."]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        "sessionId",
        "sessionFile",
        "updatedAt",
        "status",
        "label",
        "spawnedBy",
        "parentSessionKey",
        "modelOverride",
        "modelOverrideSource",
        "skillsSnapshot",
        "compactionCheckpoints",
        "usageFamilySessionIds",
        "chatType",
        "origin",
        "pinnedAt",
    ]
)
KEYS = st.sampled_from(
    ["agent:main:main", "agent:main:cron:a:run:b", "agent:main:subagent:c", "global", "a:topic:b/c"]
)
PATHS = store_paths(Path("/nowhere/agents/main/sessions"))


@given(st.dictionaries(KEYS, st.dictionaries(NAMES, VALUES, max_size=15), max_size=5))
@settings(max_examples=300, deadline=None)
def test_entries_of_any_shape_can_be_judged(rows: dict[str, dict[str, Any]]) -> None:
    others, linker = Others(), Linker(PATHS, {}, {}, lambda agent: True)
    entries = {}
    for key, row in rows.items():
        data = json.dumps(row).encode()
        scanned = Scanned(key, data, entry=decode(data))
        others.add_entry(row)
        entries[key] = linker.link(facts_of(scanned, PATHS, is_legacy=False, at_ms=NOW))
    look = Inventory(PATHS, NOW, "directory", entries, {})
    for finding in examine(look).findings:
        assert finding.key is None or finding.key in rows
        for text in (finding.message, finding.hint, *finding.evidence):
            assert text.isprintable()
    assert all(facts.transcript == "" for facts in entries.values())
