"""A key pattern takes bounded time, whatever the pattern and whatever the keys."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.index import Index, Query
from sessionstore.index.answering import _pattern
from sessionstore.keys import file_name
from sessionstore.paths import store_paths


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 60 + "b", "*a?" * 60 + "b", "*?" * 120 + "b", "*aa" * 60 + "*b", "?*" * 120 + "b"],
)
def test_pattern_of_many_stars_is_answered_at_once(tmp_path: Path, pattern: str) -> None:
    directory = tmp_path / "sessions.d"
    directory.mkdir()
    for number in range(20):
        key = f"agent:main:{'a' * 80}{number}"
        (directory / file_name(key)).write_text('{"sessionId":"s","updatedAt":1}')
    index = Index(store_paths(directory))
    try:
        index.refresh()
        started = time.monotonic()
        page = index.query(Query(key_pattern=pattern))
        took_s = time.monotonic() - started
    finally:
        index.close()
    assert page.total == 20
    assert page.matched == 0
    assert took_s < 1


_WORDS = st.text(alphabet="ab:", max_size=12)


@given(pattern=st.text(alphabet="ab*?:", min_size=1, max_size=10), key=_WORDS)
def test_pattern_matches_what_a_glob_matches(pattern: str, key: str) -> None:
    assert bool(_pattern(pattern)(key)) == fnmatchcase(key, pattern)
