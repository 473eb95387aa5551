"""Session ids name transcripts, so they are restricted where keys are free text."""

from __future__ import annotations

import pytest

from sessionstore import InvalidEntryError, Store
from sessionstore.keys import check_session_id
from tests.sessionstore.helpers import entry

A = "agent:main:a"
BAD_TEXTS = ["", ".", "..", "../up", "a/b", "a\\b", "a\0b", "-a", "a b", "é", "a\n", "a" * 129]


@pytest.mark.parametrize("session_id", ["a", "A-1_b.c", "0", "a" * 128])
def test_check_session_id_takes_plain_names(session_id: str) -> None:
    assert check_session_id(session_id) == session_id


@pytest.mark.parametrize("session_id", [*BAD_TEXTS, None, 5])
def test_check_session_id_refuses_what_could_leave_the_folder(session_id: object) -> None:
    with pytest.raises(InvalidEntryError):
        check_session_id(session_id)


@pytest.mark.parametrize("session_id", ["", "../up", "s-1"])
def test_reset_refuses_a_bad_id_and_the_current_one(store: Store, session_id: str) -> None:
    store.put(A, entry())
    with pytest.raises(InvalidEntryError):
        store.reset(A, session_id=session_id)
    assert store.get(A) == entry()
    assert store.history(A) == []
