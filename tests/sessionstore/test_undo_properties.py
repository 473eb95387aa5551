"""Laws of undo: it gives back what the change took, and takes nothing that others gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore import (
    ABSENT,
    FieldEdit,
    Keeper,
    OverlapError,
    Store,
    edits_between,
    merging,
    undo,
    versions,
)
from sessionstore.editing import same
from sessionstore.entries import equal
from sessionstore.versions import find_version, undone
from tests.sessionstore.helpers import scaled

Entry = dict[str, Any]
A = "agent:main:main"
LATER = 4_000_000_000_000

# Fields that depend on each other, fields that do not, and names that trip programs.
ROUTES = st.sampled_from([None, "slack", " Slack ", "telegram", "C1", "", 7, {"channel": "slack"}])
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from(["slack", "telegram", " X "]),
        "to": st.sampled_from(["C1", "C2"]),
        "threadId": st.sampled_from(["t1", 5, 5.5]),
        "accountId": st.sampled_from(["acc"]),
        "more": st.just([1]),
    },
)
PLAIN = st.none() | st.booleans() | st.sampled_from([0, 1, 1.0, -0.0, 2**70, "", "x", "\ud83d"])
DEEP = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=2), max_leaves=3)
FIELDS: dict[str, Any] = {
    "sessionId": st.sampled_from(["s-1", "s-2"]),
    "sessionFile": st.sampled_from(["/s-1.jsonl", "/s-2.jsonl"]),
    "label": PLAIN,
    "__proto__": DEEP,
    "": DEEP,
    "model": st.sampled_from([None, "m", " m ", "", 5]),
    "modelProvider": st.sampled_from(["p", " ", None]),
    "provider": ROUTES,
    "channel": ROUTES,
    "room": ROUTES,
    "lastChannel": ROUTES,
    "lastTo": ROUTES,
    "lastAccountId": ROUTES,
    "lastThreadId": st.sampled_from(["t1", 5, 5.5, None, ""]),
    "deliveryContext": CONTEXTS | st.none(),
    "origin": st.sampled_from([{"threadId": "t0"}, {}, None]),
    "totalTokens": st.integers(0, 9),
}
ENTRIES = st.fixed_dictionaries({}, optional=FIELDS)
CHANGES = st.fixed_dictionaries(
    {}, optional={name: values | st.just(ABSENT) for name, values in FIELDS.items()}
)


def many(examples: int) -> settings:
    return settings(max_examples=scaled(examples, least=20))


def start(store: Store, entry: Entry) -> Entry:
    """Make this the session, whatever was there, and give it as it is stored."""
    store.delete(A)
    stored = store.put(A, {**entry, "updatedAt": LATER})
    assert stored is not None
    return stored


def applied(changes: Entry) -> Callable[[Entry | None], Entry]:
    """What a writer does who sets these fields, and removes those that are absent."""

    def change(old: Entry | None) -> Entry:
        new = {**(old or {}), **changes}
        return {name: value for name, value in new.items() if value is not ABSENT}

    return change


def edit(store: Store, changes: Entry) -> str | None:
    """Make the change as an operator; the version's id, None where nothing changed."""
    before = store.get(A) or {}
    edits = [FieldEdit(name, before.get(name, ABSENT), value) for name, value in changes.items()]
    keeper = Keeper()
    store.keeping(keeper).update(A, merging(A, edits))
    return keeper.ids[0] if keeper.ids else None


@many(300)
@given(entry=ENTRIES, changes=CHANGES)
def test_undoing_an_edit_that_nobody_followed_gives_the_entry_back(
    store: Store, entry: Entry, changes: Entry
) -> None:
    before = start(store, entry)
    version_id = edit(store, changes)
    if version_id is not None:
        undo(store, version_id)
    assert edits_between(before, store.get(A)) == ()


@many(200)
@given(entry=ENTRIES, changes=CHANGES)
def test_a_version_says_exactly_what_the_change_changed(
    store: Store, entry: Entry, changes: Entry
) -> None:
    before = start(store, entry)
    version_id = edit(store, changes)
    after = store.get(A)
    if version_id is None:
        assert edits_between(before, after) == ()
        return
    version = find_version(store, version_id)
    assert version.entry is not None
    assert equal(version.entry, before)
    wanted = {edit.name: edit.yours for edit in edits_between(before, after)}
    assert set(version.changed) == wanted.keys()
    assert equal(
        dict(version.written), {n: value for n, value in wanted.items() if value is not ABSENT}
    )


INDEPENDENT = ["label", "__proto__", "", "totalTokens"]
OWN = st.fixed_dictionaries(
    {}, optional={name: FIELDS[name] | st.just(ABSENT) for name in INDEPENDENT}
)


@many(200)
@given(entry=ENTRIES, changes=OWN, theirs=CHANGES, choices=st.sampled_from([None, "mine", "now"]))
def test_undo_keeps_every_field_that_the_edit_did_not_touch(
    store: Store, entry: Entry, changes: Entry, theirs: Entry, choices: Any
) -> None:
    start(store, entry)
    version_id = edit(store, changes)
    if version_id is None:
        return
    store.update(A, applied(theirs))
    written = store.get(A) or {}
    version = find_version(store, version_id)
    try:
        undo(store, version_id, choices=choices and dict.fromkeys(INDEPENDENT, choices))
    except OverlapError as error:
        assert choices is None
        assert {overlap.name for overlap in error.overlaps} <= set(version.changed)
        assert equal(store.get(A) or {}, written)
        return
    result = store.get(A) or {}
    for name in written.keys() | result.keys():
        now = result.get(name, ABSENT)
        if name in version.changed:
            assert any(same(now, seen.get(name, ABSENT)) for seen in (written, version.entry or {}))
        else:
            assert same(now, written.get(name, ABSENT)), name


@many(150)
@given(entry=ENTRIES, theirs=CHANGES)
def test_undo_of_a_deletion_gives_back_all_of_it(store: Store, entry: Entry, theirs: Entry) -> None:
    before = start(store, entry)
    store.keeping(keeper := Keeper()).delete(A)
    assert store.get(A) is None
    undo(store, keeper.ids[0])
    found = store.get(A)
    assert found is not None
    assert equal(found, before)
    assert list(found) == list(before)
    store.update(A, applied(theirs))


@many(150)
@given(entry=ENTRIES, changes=CHANGES, theirs=CHANGES)
def test_what_an_undo_would_leave_is_what_it_leaves_or_refuses(
    store: Store, entry: Entry, changes: Entry, theirs: Entry
) -> None:
    start(store, entry)
    version_id = edit(store, changes)
    if version_id is None:
        return
    store.update(A, applied(theirs))
    wanted, overlaps = undone(find_version(store, version_id), store.get(A))
    try:
        found = undo(store, version_id)
    except OverlapError as error:
        assert error.overlaps == overlaps != ()
    else:
        assert overlaps == ()
        # The rules of an entry hold after an undo too: they may settle what depends on others.
        names = {edit.name for edit in edits_between(wanted, found)}
        assert names <= {"lastChannel", "lastTo", "lastAccountId", "lastThreadId"} | {
            "deliveryContext",
            "sessionFile",
            "model",
            "modelProvider",
            "provider",
            "channel",
            "room",
            "groupChannel",
        }


@many(60)
@given(entry=ENTRIES, steps=st.lists(CHANGES, max_size=5))
def test_undoing_every_change_in_turn_leads_back_to_the_start(
    store: Store, entry: Entry, steps: list[Entry]
) -> None:
    before = start(store, entry)
    ids = [version_id for step in steps if (version_id := edit(store, step)) is not None]
    newest = [version.id for version in versions(store, A)][: len(ids)]
    assert newest == ids[::-1]
    for version_id in newest:
        undo(store, version_id)
    assert edits_between(before, store.get(A)) == ()
