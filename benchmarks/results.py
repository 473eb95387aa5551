"""What a benchmark found: rows with targets, tables without, kept as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Result:
    """One target and what was measured. ``passed`` is None where there is no verdict."""

    row: int
    what: str
    place: str
    prototype: str
    target: str
    result: str
    passed: bool | None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """Figures side by side, without a target."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def times(value: float) -> str:
    """A ratio for people: 1.43, 26, 1,398."""
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def show(results: Sequence[Result]) -> str:
    """Prototype, target and result side by side."""
    rows = [["#", "what", "where", "prototype", "target", "result", ""]]
    for result in results:
        verdict = {True: "met", False: "MISSED", None: "–"}[result.passed]
        rows.append(
            [
                *[str(result.row or "–"), result.what, result.place, result.prototype],
                *[result.target, result.result, verdict],
            ]
        )
    return align(rows)


def align(rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def machine() -> dict[str, Any]:
    """The machine in general terms; figures are comparable only within one run."""
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def write(
    name: str,
    results: Sequence[Result],
    tables: Sequence[Table] = (),
    **facts: Any,
) -> Path:
    """Keep a run as ``results/<name>.json``."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    content = {
        **facts,
        "rows": [asdict(result) for result in results],
        "tables": [asdict(table) for table in tables],
    }
    path.write_text(_dump(content))
    return path


def replace_rows(name: str, results: Sequence[Result]) -> Path:
    """Put newly measured rows in the place of the kept ones, and say so in the file."""
    path = FOLDER / f"{name}.json"
    content = json.loads(path.read_text()) if path.exists() else {"rows": [], "tables": []}
    again = {result.row for result in results}
    others = [row for row in content["rows"] if row["row"] not in again]
    content["rows"] = others + [asdict(result) for result in results]
    content["measured_again"] = sorted(again | set(content.get("measured_again", [])))
    path.write_text(_dump(content))
    return path


def _dump(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
