"""Rows of the session table, in pages, each read in its own short transaction.

Pages follow the row's own number: no sort, nothing to hold between two of them. A session that is
deleted and made again between two pages may be missed or met twice; the next look sees it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..databasefile import Database, DatabaseError, allow_time, is_too_long
from ..errors import CorruptStoreError
from .schemas import Schema

PAGE_ROWS = 256
PAGE_S = 0.05
"""A page ends after so long, so that a checkpoint of the gateway never waits for a reader."""
_PAGE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """One row as it is stored: types are not checked. ``is_too_long``: it was not read."""

    number: Any
    key: object
    entry: object
    updated_at: object
    valid: object = None
    is_too_long: bool = False


def each_row(
    database: Database, schema: Schema, path: Path, *, keys_only: bool = False
) -> Iterator[Found]:
    """Every row once. What is yielded is out of the transaction that read it.

    Raises:
        DatabaseError: but for a value over the limit, which is a row of its own.
        CorruptStoreError: the numbers of the rows do not grow.
    """
    entry = "NULL, NULL, NULL" if keys_only else _columns(schema)
    statement = (
        f"SELECT rowid, session_key, {entry} FROM {schema.table} "  # noqa: S608  # our own names
        "WHERE rowid > ? ORDER BY rowid LIMIT ?"
    )
    after = -(2**63)
    while True:
        page, is_cut = _page(database, statement, after)
        if is_cut == "long":
            last = page[-1].number if page else after
            page += _next_row(database, statement, schema, last)
        for row in page:
            if not isinstance(row.number, int) or row.number <= after:
                raise CorruptStoreError(
                    f"the rows of {path.name} are in no order",
                    path=path,
                    hint="let OpenClaw check it (openclaw doctor)",
                )
            after = row.number
        yield from page
        if not is_cut and len(page) < PAGE_ROWS:
            return


def _columns(schema: Schema) -> str:
    return f"entry_json, updated_at, {'entry_valid' if schema.has_valid else 'NULL'}"


def _page(database: Database, statement: str, after: int) -> tuple[list[Found], str]:
    """Some rows, and why there may be more than these: "" (there are not), "time" or "long"."""
    allow_time(database)
    ends = time.monotonic() + PAGE_S
    page: list[Found] = []
    size = 0
    cursor = database.cursor()
    try:
        for row in cursor.execute(statement, (after, PAGE_ROWS)):
            page.append(Found(*row))
            size += len(row[2]) if isinstance(row[2], bytes) else 0
            if size > _PAGE_BYTES or time.monotonic() > ends:
                return page, "time"
    except DatabaseError as error:
        if not is_too_long(error):
            raise
        return page, "long"
    finally:
        cursor.close()  # ends the transaction
    return page, ""


def _next_row(database: Database, statement: str, schema: Schema, after: int) -> list[Found]:
    """The row after that number, if it is still there; without what is too long in it.

    The library looks one row ahead, so the row before a long one is lost with it and comes here.
    """
    where = f"FROM {schema.table} WHERE rowid > ? ORDER BY rowid LIMIT 1"  # our own name
    selects = ("SELECT rowid, session_key", "SELECT rowid, NULL")
    for select in (statement, *(f"{columns} {where}" for columns in selects)):
        whole = select is statement
        try:
            rows = database.execute(select, (after, 1) if whole else (after,)).fetchall()
        except DatabaseError as error:
            if not is_too_long(error):
                raise
            continue
        rest = () if whole else (None, None, None, True)
        return [Found(*row, *rest) for row in rows]
    raise AssertionError("a row's number is never too long")


def rows_of_key(database: Database, schema: Schema, key: str) -> list[Found]:
    """The row spelt so; where there is none, those that differ from it in case only."""
    allow_time(database)
    statement = f"SELECT rowid, session_key, {_columns(schema)} FROM {schema.table} "  # noqa: S608
    for where in ("WHERE session_key = ?", "WHERE session_key = ? COLLATE NOCASE LIMIT 20"):
        try:
            rows = database.execute(statement + where, (key,)).fetchall()
        except DatabaseError as error:
            if not is_too_long(error):
                raise
            return [Found(0, key.encode(), None, None, is_too_long=True)]
        if rows:
            return [Found(*row) for row in rows]
    return []
