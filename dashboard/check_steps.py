"""The step ``check`` of ``manage.py sessions``: its arguments, and what it prints."""

from __future__ import annotations

import json
from argparse import _SubParsersAction
from collections.abc import Callable
from typing import Any

from dashboard.services import audit_command as work
from dashboard.services.amounts import binary

STEP = "check"
_SHOWN = 20

Write = Callable[[str], object]


def add_arguments(steps: _SubParsersAction[Any], add_stores: Callable[..., None]) -> None:
    """Declare the arguments."""
    check = steps.add_parser(STEP, help="find what is stale, orphaned, damaged or wasteful")
    add_stores(check, reason=False)
    check.add_argument(
        "--rule",
        action="append",
        choices=work.rule_slugs(),
        metavar="RULE",
        help="only this rule; may be given again",
    )


def run(options: dict[str, Any], write: Write) -> int:
    """Check stores and print what was found; the exit status. Changes nothing.

    Raises:
        UsageError: a store is named that is not there.
    """
    readers = work.chosen(
        options["agent"] or (), options["store"] or (), everything=bool(options["all"])
    )
    results = [work.checked(reader, options["rule"]) for reader in readers]
    if options["all"]:
        results += work.skipped()
    status = work.status_of(results)
    if options["json"]:
        content = {
            "summary": work.summary(results),
            "status": status,
            "stores": [one.told for one in results],
        }
        write(json.dumps(content, indent=1, ensure_ascii=False))
        return status
    for result in results:
        _print(result, write)
    write(work.summary(results))
    return status


def _print(result: work.Checked, write: Write) -> None:
    write(f"{result.store}: {result.sentence}")
    for rule, findings in result.by_rule.items():
        size = sum(finding.size_bytes for finding in findings)
        write(f"  {work.title_of(rule)} ({rule}): {len(findings):,}, {binary(size)}")
        for finding in findings[:_SHOWN]:
            what = finding.key if finding.key is not None else finding.path
            write(f"    {finding.severity}, {finding.confidence}: {what}: {finding.message}")
        if len(findings) > _SHOWN:
            write(f"    and {len(findings) - _SHOWN:,} more; --json has all of them")
        write(f"    {findings[0].hint}")
