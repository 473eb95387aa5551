"""The same rows as JSON and CSV: made row by row, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")  # with their full-width forms
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class _Echo:
    """A file that gives each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_response(
    name: str, header: list[str], rows: Iterable[Iterable[object]]
) -> StreamingHttpResponse:
    """Stream rows as a CSV attachment. Text that a spreadsheet would run gets a leading quote."""
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield writer.writerow(header)
        for row in rows:
            yield writer.writerow([cell(value) for value in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    guard(response, f"{safe_name(name)}.csv", attachment=True)
    return response


def json_response(name: str, content: Any, *, attachment: bool = False) -> HttpResponse:
    """Answer with JSON for programs; never stored and never run as anything else."""
    response = HttpResponse(_encoded(content), content_type="application/json; charset=utf-8")
    guard(response, f"{safe_name(name)}.json", attachment=attachment)
    return response


def json_stream(
    name: str,
    around: dict[str, Any],
    list_name: str,
    items: Iterable[Any],
    *,
    attachment: bool = False,
) -> StreamingHttpResponse:
    """Stream one JSON object whose last member is a list, made item by item."""

    def parts() -> Iterator[bytes]:
        yield _encoded(around)[: -len(b"\n}")] + f',\n "{list_name}": ['.encode()
        separator = b"\n"
        for item in items:
            yield separator + _encoded(item)
            separator = b",\n"
        yield b"\n]}\n"

    response = StreamingHttpResponse(parts(), content_type="application/json; charset=utf-8")
    guard(response, f"{safe_name(name)}.json", attachment=attachment)
    return response


def lines_response(name: str, items: Iterable[Any]) -> StreamingHttpResponse:
    """Stream an attachment of JSON lines: one value on each line."""
    lines = (_encoded(item, indent=None) + b"\n" for item in items)
    response = StreamingHttpResponse(lines, content_type="application/jsonl; charset=utf-8")
    guard(response, f"{safe_name(name)}.jsonl", attachment=True)
    return response


def _encoded(content: Any, *, indent: int | None = 1) -> bytes:
    # A lone surrogate is JSON that UTF-8 cannot carry; its escape is what the file had.
    text = json.dumps(content, ensure_ascii=False, indent=indent, default=str)
    return text.encode("utf-8", "backslashreplace")


def cell(value: object) -> object:
    """One CSV cell: numbers as they are, text without the power to be a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = str(value)
    if not text.isprintable():  # also true of lone surrogates, which no CSV can carry
        text = text.replace("\0", "").encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text[:1] in _FORMULA else text


def iso(at_ms: int | None) -> str | None:
    """Epoch milliseconds as an ISO time in UTC; None when missing or out of a calendar's range."""
    if at_ms is None:
        return None
    try:
        moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def safe_name(name: str) -> str:
    """A file name that every system takes: ASCII letters, digits, dot, dash, underscore."""
    return _UNSAFE.sub("-", name).strip("-.")[:80] or "sessions"


def guard(response: HttpResponseBase, file_name: str, *, attachment: bool) -> None:
    """Have an answer neither kept nor run as anything; ``file_name`` must be a safe one."""
    kind = "attachment" if attachment else "inline"
    response["Content-Disposition"] = f'{kind}; filename="{file_name}"'
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
