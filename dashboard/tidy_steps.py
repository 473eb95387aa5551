"""The step ``tidy`` of ``manage.py sessions``: its arguments, and what it prints."""

from __future__ import annotations

import json
import sys
from argparse import _SubParsersAction
from collections.abc import Callable, Sequence
from typing import Any

from dashboard.services import tidy_command as work
from dashboard.services.migration_command import Result

STEP = "tidy"
_SHOWN = 20

Write = Callable[[str], object]


def add_arguments(steps: _SubParsersAction[Any], add_stores: Callable[..., None]) -> None:
    """Declare the arguments."""
    tidy = steps.add_parser(STEP, help="archive or remove by a policy what nobody needs any more")
    add_stores(tidy)
    tidy.add_argument("--from-config", action="store_true", help="as openclaw.json says")
    for name, (_setting, kind, words) in work.SETTINGS.items():
        tidy.add_argument(f"--{name}", metavar=kind.rstrip("0"), help=words)
    tidy.add_argument("--slim", action="append", choices=work.REBUILDABLE, help="take it out")
    tidy.add_argument("--unpin-failover", action="store_true", help="clear what failovers left")
    tidy.add_argument("--protect", action="append", metavar="KEY", help="never; * as in fnmatch")
    tidy.add_argument(
        "--protect-kind", action="append", metavar="KIND", help="such as main, direct"
    )
    tidy.add_argument("--take-back-days", type=float, default=30.0, metavar="N")
    what = tidy.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="only say what would go")
    what.add_argument("--runs", action="store_true", help="list what was done, and until when")
    what.add_argument("--take-back", metavar="RUN", help="bring back what a run took away")
    what.add_argument("--expire", action="store_true", help="remove what can no longer come back")


def run(options: dict[str, Any], write: Write) -> int:
    """Do what was asked at each store and print what it came to; the exit status.

    Raises:
        UsageError: a store is named that is not there, or a value cannot be understood.
        RefusedError: the console is read-only.
    """
    if not 0 <= options["take_back_days"] <= 90:
        raise work.UsageError("--take-back-days is from 0 to 90")
    readers = work.chosen(
        options["agent"] or (), options["store"] or (), everything=bool(options["all"])
    )
    results = [_one(reader, options) for reader in readers]
    status = work.worst(results)
    _print(results, status, options, write)
    return status


def _one(reader: Any, options: dict[str, Any]) -> Result:
    reason = options["reason"]
    if options["runs"]:
        return work.listed(reader)
    if options["take_back"] is not None:
        return work.taken_back(reader, options["take_back"], reason=reason)
    if options["expire"]:
        return work.expired(reader, reason=reason)
    policy = work.policy_from(options)
    if options["dry_run"]:
        return work.planned(reader, policy)
    days = options["take_back_days"]
    return work.tidied(reader, policy, take_back_days=days, reason=reason, progress=_progress())


def _progress() -> Callable[[int, int, str], None] | None:
    """Progress on the error stream, where somebody is looking."""
    if not sys.stderr.isatty():
        return None

    def tell(done: int, total: int, _item: str) -> None:
        sys.stderr.write(f"\r{done:,} of {total:,}")

    return tell


def _print(results: Sequence[Result], status: int, options: dict[str, Any], write: Write) -> None:
    if options["json"]:
        stores = [
            {"store": one.store, "outcome": one.outcome, "sentence": one.sentence, **one.told}
            for one in results
        ]
        write(json.dumps({"status": status, "stores": stores}, indent=1, ensure_ascii=False))
        return
    for one in results:
        write(f"{one.store}: {one.sentence}")
        for line in _lines(one.told)[:_SHOWN]:
            write(f"  {line}")
        if (more := len(_lines(one.told)) - _SHOWN) > 0:
            write(f"  and {more:,} more; --json has all of them")


def _lines(told: dict[str, Any]) -> list[str]:
    if "items" in told:
        items = told["items"]
        return [
            f"{one['action']}: {one['key'] or one['path']}: {one['reason']}"
            + (f" ({one['protected_by']})" if one["protected_by"] else "")
            for one in items
        ]
    if "results" in told:
        results = [one for one in told["results"] if one["outcome"] != "done" or one["message"]]
        return [f"{one['outcome']}: {one['subject']}: {one['message']}" for one in results]
    runs = told.get("runs", ())
    return [
        f"{one['run']}: {one.get('done', 0):,} done, {one.get('skipped', 0):,} skipped"
        f"{', expired' if one['expired'] else ''}"
        for one in runs
        if isinstance(one, dict)
    ]
