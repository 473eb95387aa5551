"""Reading a transcript: pages from either end, odd lines, huge files, things in the way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore import StorePaths, UnsafeFileError
from sessionstore.paths import store_paths
from sessionstore.transcripts import Page, look_inside, read_page
from sessionstore.transcripts.lines import MAX_LINE_BYTES, PAGE_BYTES
from sessionstore.treefiles import Reader
from tests.sessionstore.plants import UNSAFE

from .conftest import SID, Write

HEADER = {"type": "session", "version": 3, "id": SID, "timestamp": "t", "cwd": "/x"}


def message(number: int, parent: int | None = None, text: str = "hello") -> dict[str, Any]:
    return {
        "type": "message",
        "id": f"m{number}",
        "parentId": None if parent is None else f"m{parent}",
        "timestamp": f"2026-11-20T21:36:{number % 60:02}.000Z",
        "message": {"role": "user", "content": text},
    }


def texts(page: Page) -> list[str]:
    return [line.value["id"] if line.value else line.state for line in page.lines]


def backwards(paths: StorePaths, path: Path, **options: Any) -> Iterator[Page]:
    page = read_page(paths, path, **options)
    yield page
    while page.older is not None:
        page = read_page(paths, path, before=page.older, **options)
        yield page


def forwards(paths: StorePaths, path: Path, **options: Any) -> Iterator[Page]:
    page = read_page(paths, path, after=0, **options)
    yield page
    while page.newer is not None:
        page = read_page(paths, path, after=page.newer, **options)
        yield page


@pytest.fixture
def read_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each look into a file brought."""
    seen: list[int] = []
    read_at = Reader.read_at

    def counted(self: Reader, offset: int, size: int) -> bytes:
        found = read_at(self, offset, size)
        seen.append(len(found))
        return found

    monkeypatch.setattr(Reader, "read_at", counted)
    return seen


def test_the_last_page_comes_first_and_the_others_are_beside_it(
    paths: StorePaths, write: Write
) -> None:
    path = write([HEADER, *(message(n) for n in range(1, 8))])
    newest = read_page(paths, path, count=3, active_branch=False)
    assert texts(newest) == ["m5", "m6", "m7"]
    assert newest.newer is None
    older = read_page(paths, path, before=newest.older, count=3, active_branch=False)
    assert texts(older) == ["m2", "m3", "m4"]
    again = read_page(paths, path, after=older.newer, count=3, active_branch=False)
    assert again.lines == newest.lines
    first = read_page(paths, path, before=older.older, count=3, active_branch=False)
    assert texts(first) == [SID, "m1"]
    assert first.older is None


pieces = st.binary(max_size=80).filter(lambda line: b"\n" not in line)


@settings(max_examples=60)
@given(lines=st.lists(pieces, max_size=30), tail=pieces, count=st.integers(1, 7))
def test_pages_in_both_directions_are_all_lines_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], tail: bytes, count: int
) -> None:
    paths = store_paths(tmp_path_factory.mktemp("s") / "agents" / "main" / "sessions")
    paths.store_path.parent.mkdir(parents=True)
    path = paths.store_path.with_name("s.jsonl")
    path.write_bytes(b"".join(line + b"\n" for line in lines) + tail)
    there = list(forwards(paths, path, count=count, active_branch=False))
    back = list(backwards(paths, path, count=count, active_branch=False))[::-1]
    assert [line for page in there for line in page.lines] == [
        line for page in back for line in page.lines
    ]
    spans = [(line.start, line.end) for page in there for line in page.lines]
    assert len(spans) == len(lines) + bool(tail)
    assert [start for start, _ in spans] == [0, *(end for _, end in spans)][: len(spans)]


def test_a_damaged_line_is_told_with_its_place_and_not_shown(
    paths: StorePaths, write: Write
) -> None:
    path = write([HEADER, b'{"type": "mess', b"\xff\xfe", b"[1]", b"", b"[" * 5000, message(1)])
    page = read_page(paths, path, active_branch=False)
    states = ["entry", "damaged", "damaged", "damaged", "blank", "damaged", "entry"]
    assert [line.state for line in page.lines] == states
    bad = page.lines[1]
    assert bad.value is None
    assert bad.problem
    assert path.read_bytes()[bad.start : bad.end] == b'{"type": "mess\n'


def test_a_line_that_is_being_written_is_told(paths: StorePaths, write: Write) -> None:
    path = write([HEADER])
    with path.open("ab") as file:
        file.write(b'{"type": "mess')
    page = read_page(paths, path)
    assert [line.state for line in page.lines] == ["entry", "unfinished"]
    with path.open("ab") as file:
        file.write(b'age", "id": "m1"}')
    assert texts(read_page(paths, path)) == [SID, "m1"]


def test_a_long_line_is_told_with_its_size_and_not_read_out(
    paths: StorePaths, write: Write
) -> None:
    path = write([HEADER, message(1, text="x" * MAX_LINE_BYTES), message(2, 1)])
    for branch in (True, False):
        page = read_page(paths, path, active_branch=branch)
        assert [line.state for line in page.lines] == ["entry", "long", "entry"]
        assert page.lines[1].end - page.lines[1].start > MAX_LINE_BYTES


def test_a_line_longer_than_a_page_never_stops_the_paging(
    paths: StorePaths, home: Path, read_bytes: list[int]
) -> None:
    path = home / f"{SID}.jsonl"
    with path.open("wb") as file:
        file.write(json.dumps(HEADER).encode() + b"\n")
        file.write(b"x" * (3 * PAGE_BYTES) + b"\n")
        file.write(json.dumps(message(1)).encode() + b"\n")
    back = list(backwards(paths, path, active_branch=False))
    assert texts(back[0]) == ["m1"]
    assert texts(back[-1])[0] == SID
    assert {state for page in back[1:-1] for state in texts(page)} == {"part"}
    there = list(forwards(paths, path, active_branch=False))
    assert texts(there[0]) == [SID]
    assert texts(there[-1])[-1] == "m1"
    assert max(read_bytes) <= PAGE_BYTES


@pytest.mark.parametrize("offset", [-5, 0, 1, 7, 150, 10**12])
def test_an_offset_that_somebody_made_up_is_no_error(
    paths: StorePaths, write: Write, offset: int
) -> None:
    path = write([HEADER, message(1), message(2, 1)])
    for branch in (True, False):
        for where in ({"before": offset}, {"after": offset}):
            page = read_page(paths, path, active_branch=branch, **where)
            assert {line.state for line in page.lines} <= {"entry", "part"}


def test_the_last_page_of_a_huge_file_costs_what_the_page_costs(
    paths: StorePaths, home: Path, read_bytes: list[int]
) -> None:
    path = home / f"{SID}.jsonl"
    with path.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, os.SEEK_END)
        for number in range(100):
            file.write(b"\n" + json.dumps(message(number)).encode())
    page = read_page(paths, path, count=50)
    assert page.branch is not None
    assert page.branch.state == "too-large"
    assert texts(page) == [f"m{number}" for number in range(50, 100)]
    assert sum(read_bytes) < 300_000
    head = look_inside(paths, path)
    assert (head.header, head.odd, head.lines_are_exact) == (None, "long", False)
    assert sum(read_bytes) < 600_000


def test_an_empty_transcript_has_no_lines(paths: StorePaths, write: Write) -> None:
    path = write([])
    assert read_page(paths, path).lines == ()
    head = look_inside(paths, path)
    assert (head.header, head.odd, head.lines, head.is_unfinished) == (None, "empty", 0, False)


@pytest.mark.parametrize(
    ("lines", "odd"), [([message(1)], "no-header"), ([b"{", message(1)], "damaged")]
)
def test_a_transcript_that_lost_its_header_says_so(
    paths: StorePaths, write: Write, lines: list[Any], odd: str
) -> None:
    head = look_inside(paths, write(lines))
    assert (head.header, head.odd) == (None, odd)


def test_the_head_tells_the_last_line_and_the_number_of_lines(
    paths: StorePaths, write: Write
) -> None:
    path = write([HEADER, *(message(number) for number in range(40))])
    head = look_inside(paths, path)
    assert (head.lines, head.lines_are_exact) == (41, True)
    assert (head.last_type, head.last_at) == ("message", "2026-11-20T21:36:39.000Z")
    assert head.header == HEADER
    assert (head.mode, head.links) == (path.stat().st_mode & 0o777, 1)


def test_the_number_of_lines_of_a_large_file_is_an_estimate(
    paths: StorePaths, write: Write
) -> None:
    path = write([HEADER, *(message(number, text="x" * 1000) for number in range(5000))])
    head = look_inside(paths, path)
    assert not head.lines_are_exact
    assert head.lines is not None
    assert 4500 < head.lines < 5500


@pytest.mark.parametrize("plant", [name for name in UNSAFE if name not in ("huge", "sparse")])
def test_what_was_put_in_the_way_is_not_followed(home: Path, paths: StorePaths, plant: str) -> None:
    UNSAFE[plant](home / f"{SID}.jsonl")
    for read in (look_inside, read_page):
        with pytest.raises((UnsafeFileError, FileNotFoundError)):
            read(paths, home / f"{SID}.jsonl")


def test_a_folder_that_became_a_link_is_not_followed(
    home: Path, paths: StorePaths, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.jsonl").write_text('{"type":"session"}\n')
    (home / "below").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeFileError):
        read_page(paths, home / "below" / "x.jsonl")
    with pytest.raises(UnsafeFileError):
        read_page(paths, tmp_path / "outside" / "x.jsonl")


def test_a_file_of_another_agent_is_read(home: Path, paths: StorePaths) -> None:
    other = home.parents[1] / "work" / "sessions" / "s-9.jsonl"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps(HEADER) + "\n")
    assert texts(read_page(paths, other)) == [SID]


# -- the tree --------------------------------------------------------------------------------


def test_the_active_branch_leaves_out_what_was_left_behind(paths: StorePaths, write: Write) -> None:
    path = write([HEADER, message(1), message(2, 1), message(3, 2), message(4, 1), message(5, 4)])
    page = read_page(paths, path)
    assert texts(page) == [SID, "m1", "m4", "m5"]
    assert page.branch is not None
    assert (page.branch.state, page.branch.lines, page.branch.forks) == ("tree", 6, 1)
    assert len(read_page(paths, path, active_branch=False).lines) == 6


def test_the_active_branch_is_paged_in_both_directions(paths: StorePaths, write: Write) -> None:
    chain = [message(n, n - 1 if n > 1 else None) for n in range(1, 20)]
    aside = [message(100 + n, n) for n in range(1, 20)]
    mixed = [line for pair in zip(aside, chain, strict=True) for line in pair]
    path = write([HEADER, *mixed])
    expected = [SID, *(f"m{n}" for n in range(1, 20))]
    back = [texts(page) for page in backwards(paths, path, count=6)]
    assert [text for page in back[::-1] for text in page] == expected
    there = [texts(page) for page in forwards(paths, path, count=6)]
    assert [text for page in there for text in page] == expected


def test_a_page_of_a_branch_reads_no_more_than_any_other(paths: StorePaths, write: Write) -> None:
    large = "x" * (MAX_LINE_BYTES - 1000)
    lines = [HEADER, *(message(n, n - 1 if n else None, large) for n in range(20))]
    path = write(lines)
    for pages in (list(backwards(paths, path))[::-1], list(forwards(paths, path))):
        for page in pages:
            assert sum(line.end - line.start for line in page.lines) <= PAGE_BYTES
            assert page.lines
        found = [text for page in pages for text in texts(page)][1:]
        assert found == [f"m{n}" for n in range(20)]


def test_a_branch_whose_parent_is_missing_begins_there_and_says_so(
    paths: StorePaths, write: Write
) -> None:
    page = read_page(paths, write([HEADER, message(1), message(3, 2), message(4, 3)]))
    assert texts(page) == [SID, "m3", "m4"]
    assert page.branch is not None
    assert page.branch.is_broken


def test_a_loop_of_parents_ends(paths: StorePaths, write: Write) -> None:
    page = read_page(paths, write([HEADER, message(1, 2), message(2, 1)]))
    assert texts(page) == [SID, "m1", "m2"]
    assert page.branch is not None
    assert page.branch.is_broken


def test_lines_without_ids_are_one_conversation(paths: StorePaths, write: Write) -> None:
    lines = [{"type": "message", "message": {"role": "user"}}] * 3
    page = read_page(paths, write([HEADER, *lines]))
    assert len(page.lines) == 4
    assert page.branch is not None
    assert page.branch.state == "linear"


@pytest.mark.parametrize("odd", [{"id": 5}, {"parentId": []}, {"id": None}, {"type": {}}])
def test_odd_ids_are_no_error(paths: StorePaths, write: Write, odd: dict[str, Any]) -> None:
    page = read_page(paths, write([HEADER, message(1), message(2, 1) | odd]))
    assert page.lines
