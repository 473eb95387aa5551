"""Put the kept results into docs/performance.md, between its marks.

    python -m benchmarks.report

The prose around them is written by hand; figures there are meant to outlive one run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .places import CHECKOUT, say
from .results import FOLDER

PAGE = CHECKOUT / "docs" / "performance.md"
LARGE = 100_000
"""The size that the index's targets are stated for."""
_HEADER = ["#", "what", "where", "prototype", "target", "result", ""]
_VERDICTS = {True: "met", False: "**missed**", None: "–"}


def main() -> None:
    """Render all results that there are."""
    kept = {
        name: _read(name)
        for name in ("store", "index", "pages", "migration", "backup", "contention")
    }
    rows = [
        *_target_rows(kept["store"]),
        *_index_rows(kept["index"]),
        *_target_rows(kept["backup"]),
        *_target_rows(kept["pages"]),
        *_target_rows(kept["migration"]),
        *_target_rows(kept["contention"]),
    ]
    rows.sort(key=_order)
    page = PAGE.read_text()
    page = _replace(page, "targets", _markdown(_HEADER, rows))
    for name in ("store", "pages", "migration", "backup"):
        page = _replace(page, f"{name} tables", _tables(kept[name]))
    page = _replace(page, "machine", _machine(kept))
    PAGE.write_text(page)
    say(f"rendered {len(rows)} rows into {PAGE.relative_to(CHECKOUT)}")


def _read(name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    except FileNotFoundError:
        say(f"skipped: {name} (run python -m benchmarks.{name})")
        return {}
    return content


def _order(row: Sequence[str]) -> int:
    return int(row[0]) if row[0].isdigit() else 1_000


def _target_rows(content: dict[str, Any]) -> list[list[str]]:
    return [
        [
            str(row["row"] or "–"),
            *(row[name] for name in ("what", "place", "prototype", "target", "result")),
            _VERDICTS[row["passed"]],
        ]
        for row in content.get("rows", [])
    ]


def _index_rows(content: dict[str, Any]) -> list[list[str]]:
    """The index's lines; only those of the size that has targets, and those without a size."""
    rows = []
    for line in content.get("lines", []):
        if line["limit"] is None or (line["sessions"] != LARGE and line["row"] != 16):
            continue
        result = f"{line['result']:.2f} KB" if line["row"] == 16 else _fraction(line["result"])
        verdict = _VERDICTS[line["verdict"] == "ok"]
        what = [str(line["row"]), line["what"], f"{line['sessions']:,} sessions"]
        rows.append([*what, line["prototype"], line["target"], result, verdict])
    return rows


def _fraction(value: float) -> str:
    return f"1/{1 / value:,.0f}" if 0 < value < 0.5 else f"{value:.2f}"


def _tables(content: dict[str, Any]) -> str:
    return "\n\n".join(
        f"**{table['title']}**\n\n" + _markdown(table["columns"], table["rows"])
        for table in content.get("tables", [])
    )


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _machine(kept: dict[str, dict[str, Any]]) -> str:
    facts = kept["store"].get("machine", {})
    if not facts:
        return "Nothing has been measured yet."
    again = ", ".join(map(str, kept["store"].get("measured_again", [])))
    systems = ", ".join(facts.get("file_systems", []))
    return (
        f"The run below: {facts['cores']} cores, Linux {facts['kernel']}, "
        f"Python {facts['python']}; {systems}. "
        f"Other work kept {facts['load_before']:g} cores busy when it began."
        + (f" Measured again afterwards (see below): row {again}." if again else "")
    )


def _replace(page: str, name: str, text: str) -> str:
    """The page with everything between two marks replaced; the marks must be there."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE} has no {begin} … {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


if __name__ == "__main__":
    main()
