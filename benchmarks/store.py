"""Measure the store beside its rivals: rows 1–12, 19 and 20 of the targets, and two tables.

    python -m benchmarks.store            about three minutes
    python -m benchmarks.store --full     50,000 and 100,000 sessions for the slow rivals as well
    python -m benchmarks.store --loop     also on a journaled ext4 in a loop mount (as root)
    python -m benchmarks.store --rows 1,9 only these rows; they replace those kept before

Ratios within one run are the result; microseconds differ between machines and hours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from . import results, rows_durable, rows_locks, rows_rivals, rows_scaling, rows_update
from .comparison import sizes_table, tails_table
from .places import open_places, say
from .results import Result, Table
from .rows_update import Bench

Row = Callable[[Bench], list[Result]]

ROWS: dict[int, Row] = {
    1: rows_update.row_1,
    2: rows_update.row_2,
    3: rows_update.row_3,
    4: rows_update.row_4,
    5: rows_rivals.row_5,
    6: rows_rivals.row_6,
    7: rows_rivals.row_7,
    8: rows_rivals.row_8,
    9: rows_locks.row_9,
    10: rows_locks.row_10,
    11: rows_locks.row_11,
    12: rows_scaling.row_12,
    19: rows_durable.row_19,
    20: rows_durable.row_20,
}


def main() -> None:
    """Measure what the arguments ask for, print it, and keep it."""
    options = _options()
    started = time.monotonic()
    facts = results.machine()
    with open_places(options.directory, loop=options.loop) as places:
        bench = Bench(places, options.full)
        found = []
        for number in options.rows or ROWS:
            lines = ROWS[number](bench)
            found += lines
            say(results.show(lines).partition("\n")[2])
        tables = [] if options.rows else _tables(bench)
        facts["file_systems"] = sorted({place.file_system for place in places})
    say("\n" + results.show(found))
    if options.rows:
        say(f"\nkept in {results.replace_rows('store', found)}")
    else:
        facts["took_s"] = round(time.monotonic() - started)
        say(f"\nkept in {results.write('store', found, tables, machine=facts, full=bench.full)}")


def _tables(bench: Bench) -> list[Table]:
    tables = []
    for place in bench.places:
        tables.append(sizes_table(bench, place))
        _show(tables[-1])
    tables.append(tails_table(bench, bench.memory[0]))
    _show(tables[-1])
    return tables


def _show(table: Table) -> None:
    say(f"\n{table.title}\n" + results.align([table.columns, *table.rows]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.store", description="Measure the store.")
    parser.add_argument("--directory", type=Path, help="a directory on the disk to measure")
    parser.add_argument("--full", action="store_true", help="long runs as well (20 minutes)")
    parser.add_argument("--loop", action="store_true", help="also a journaled ext4 (root)")
    parser.add_argument("--rows", type=_numbers, help="only these rows, as in 1,2,9")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if unknown := [number for number in numbers if number not in ROWS]:
        raise argparse.ArgumentTypeError(f"there is no row {unknown[0]} here")
    return numbers


if __name__ == "__main__":
    main()
