"""The steps of ``manage.py sessions`` that are about backups: arguments, and what they print."""

from __future__ import annotations

import json
from argparse import _SubParsersAction
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from dashboard.jobs.foreground import Foreground
from dashboard.jobs.rows import JobRow
from dashboard.services import backup_command as work
from dashboard.services.amounts import binary
from dashboard.services.backup_asking import DEPTHS
from dashboard.services.retention_pages import POLICY_FIELDS, RetentionPolicy

STEPS = ("backup", "backups", "verify", "drill", "prune", "restore")
_DAY_S = 86_400.0

Write = Callable[[str], object]


def add_arguments(steps: _SubParsersAction[Any], add_stores: Callable[..., None]) -> None:
    """Declare the arguments of each step."""
    backup = steps.add_parser("backup", help="back stores up")
    add_stores(backup)
    backup.add_argument("--transcripts", action="store_true", help="whole conversations too")
    listed = steps.add_parser("backups", help="list backups")
    add_stores(listed, required=False)
    for name, words in (("verify", "verify backups"), ("drill", "restore backups on trial")):
        step = steps.add_parser(name, help=words)
        step.add_argument("id", nargs="*", help="ids of backups")
        add_stores(step, required=False)
        step.add_argument("--newest", action="store_true", help="of each store only the newest")
        if name == "verify":
            step.add_argument("--depth", choices=DEPTHS, default="everything")
            step.add_argument("--part", metavar="N/T", help="which part, with --depth part")
    prune = steps.add_parser("prune", help="remove backups that no rule keeps")
    add_stores(prune)
    for name in (*POLICY_FIELDS, "within_days"):
        prune.add_argument(f"--{name.replace('_', '-')}", type=int, default=0, metavar="N")
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    restore = steps.add_parser("restore", help="restore a backup to a new place, or in place")
    restore.add_argument("id", nargs=1, help="the id of a backup")
    restore.add_argument("--session", action="append", metavar="KEY", help="may be given again")
    where = restore.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", metavar="NAME", help="a new place of this name")
    where.add_argument("--in-place", action="store_true", help="over what is in the store now")
    where.add_argument("--dry-run", action="store_true", help="only say what --in-place would do")
    restore.add_argument("--yes-everything", action="store_true", help="without --session")
    restore.add_argument("--json", action="store_true", help="the whole report as JSON")
    restore.add_argument("--reason", default="", metavar="TEXT", help="kept in the audit")


def run(
    step: str,
    options: dict[str, Any],
    write: Write,
    *,
    tell: Callable[[JobRow], None],
    started: Callable[[Foreground], None],
) -> int:
    """Do one step and print what it came to; the exit status.

    Raises:
        UsageError: something is named that is not there, or the policy is empty.
        ProblemError: a store or a backup refuses.
        RefusedError: the console is read-only.
    """
    follow = {"reason": options["reason"], "tell": tell, "started": started}
    if step == "backups":
        return _list(options, write)
    if step == "backup":
        readers = _readers(options) or []
        results = work.back_up(readers, transcripts=options["transcripts"], **follow)
    elif step in ("verify", "drill"):
        depth = "drill" if step == "drill" else options["depth"]
        part = _part(options.get("part")) if depth == "part" else None
        kept = work.named(options["id"], _readers(options), newest=options["newest"])
        results = work.check(kept, depth=depth, part=part, **follow) if kept else []
    elif step == "prune":
        return _prune(options, write, follow)
    else:
        results = _restore(options, follow)
    return _print(results, options, write)


def _readers(options: dict[str, Any]) -> list[work.Reader] | None:
    agents, stores = options.get("agent") or (), options.get("store") or ()
    if not agents and not stores and not options.get("all"):
        return None
    return work.chosen(agents, stores, everything=bool(options.get("all")))


def _part(text: str | None) -> tuple[int, int]:
    n, slash, t = (text or "").partition("/")
    if not slash or not n.isdecimal() or not t.isdecimal() or not 1 <= int(n) <= int(t) <= 100:
        raise work.UsageError("--part is N/T with N from 1 to T, such as 3/10")
    return int(n), int(t)


def _list(options: dict[str, Any], write: Write) -> int:
    rows = work.listed(_readers(options))
    if options["json"]:
        write(json.dumps({"backups": [asdict(row) for row in rows]}, ensure_ascii=False, indent=1))
    for row in () if options["json"] else rows:
        told = f"{row.id}  {row.store}  {row.sessions:,} sessions  {binary(row.size_bytes)}"
        checked = f"  {row.word}{', held' if row.held else ''}"
        write(f"{told}{checked}{f'  {row.problem}' if row.problem else ''}")
    if any(row.problem for row in rows):
        return work.DAMAGED
    return work.OK if rows else work.NOTHING


def _prune(options: dict[str, Any], write: Write, follow: dict[str, Any]) -> int:
    policy = RetentionPolicy(
        **{name: options[name] for name in POLICY_FIELDS},
        within_s=options["within_days"] * _DAY_S,
    )
    seen = work.previewed(policy, _readers(options) or [])
    if options["dry_run"]:
        rows = [{"id": row.id, "store": row.store, "rules": list(row.rules)} for row in seen.rows]
        if options["json"]:
            told = {"removed": seen.removed, "freed_bytes": seen.freed_bytes, "backups": rows}
            write(json.dumps(told, ensure_ascii=False, indent=1))
        else:
            for row in seen.rows:
                write(f"{row.id}  {row.store}  {', '.join(row.rules) or 'would go'}")
            write(f"{seen.removed} would go, {binary(seen.freed_bytes)}.")
        return work.OK if seen.removed else work.NOTHING
    return _print(work.prune(seen, policy, **follow), options, write)


def _restore(options: dict[str, Any], follow: dict[str, Any]) -> list[work.Result]:
    [kept] = work.named(options["id"], None, newest=False)
    keys = options["session"]
    if options["dry_run"]:
        return [work.compared(kept, keys)]
    if options["in_place"] and not keys and not options["yes_everything"]:
        raise work.UsageError("restoring everything in place asks for --yes-everything")
    target = work.Target(in_place=options["in_place"], name=options["to"] or "")
    return work.restored(kept, keys, target, **follow)


def _print(results: Sequence[work.Result], options: dict[str, Any], write: Write) -> int:
    status = work.worst(results)
    if options["json"]:
        items = [
            {"name": one.store, **one.told, "outcome": one.outcome, "sentence": one.sentence}
            for one in results
        ]
        write(json.dumps({"status": status, "items": items}, ensure_ascii=False, indent=1))
        return status
    for one in results:
        write(f"{one.store}: {one.sentence}")
    if not results:
        write("Nothing to do.")
    return status
