"""The step ``blobs`` of ``manage.py sessions``: its arguments, and what it prints."""

from __future__ import annotations

import json
from argparse import _SubParsersAction
from collections.abc import Callable
from typing import Any

from dashboard.services import blobs as work

STEP = "blobs"

Write = Callable[[str], object]


def add_arguments(steps: _SubParsersAction[Any], add_stores: Callable[..., None]) -> None:
    """Declare the arguments."""
    step = steps.add_parser(STEP, help="keep large values that many sessions share once")
    step.add_argument(
        "what",
        choices=work.STEPS,
        help="on, off, how it is, or remove blobs that no session refers to any more",
    )
    add_stores(step)


def run(options: dict[str, Any], write: Write) -> int:
    """Do it store by store and print what became of each; the exit status.

    Raises:
        UsageError: a store is named that is not there.
        RefusedError: the console is read-only.
    """
    readers = work.chosen(
        options["agent"] or (), options["store"] or (), everything=bool(options["all"])
    )
    results = [work.done(reader, options["what"], reason=options["reason"]) for reader in readers]
    status = max((one.status for one in results), default=0)
    if options["json"]:
        stores = [{"store": one.store, "sentence": one.sentence, **one.told} for one in results]
        write(json.dumps({"status": status, "stores": stores}, indent=1, ensure_ascii=False))
        return status
    for one in results:
        write(f"{one.store}: {one.sentence}")
    return status
