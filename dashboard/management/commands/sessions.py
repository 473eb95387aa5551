"""``manage.py sessions``: what the pages of migrations and backups do, for scripts.

Exit status: 0 done, 1 something failed, 2 wrong use, 3 nothing to do, 4 a choice is required, 5 a
gateway is running, 6 no room on the disk, 7 stopped before the end, 8 a backup is damaged, 9 the
store or the backups moved since they were looked at, 10 a check found more than what is only worth
knowing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard import backup_steps, check_steps, tidy_steps
from dashboard.jobs.foreground import Foreground
from dashboard.jobs.rows import JobRow
from dashboard.refusals import RefusedError
from dashboard.services import migration_command as work
from dashboard.services.migration_words import MIGRATE, ROLLBACK
from dashboard.services.problems import ProblemError
from dashboard.serving import preparation


class Command(BaseCommand):
    """Migrate, move back, export, check, tidy stores; back them up, verify, prune and restore."""

    help = __doc__.replace("``", "")

    def add_arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
        migrate = steps.add_parser("migrate", help="move stores into one file per session")
        rollback = steps.add_parser("rollback", help="move everything back into one sessions.json")
        export = steps.add_parser("export", help="write a sessions.json for older programs")
        for one in (migrate, rollback, export):
            _add_stores(one)
        for one in (migrate, rollback):
            one.add_argument("--dry-run", action="store_true", help="only say what a run would do")
        migrate.add_argument(
            "--guard",
            action=BooleanOptionalAction,
            default=None,
            help="leave a folder in place of sessions.json, so that an OpenClaw of the JSON era"
            " fails instead of starting empty (usual where OpenClaw was found)",
        )
        migrate.add_argument(
            "--yes-i-know",
            action="store_true",
            help="migrate although OpenClaw was found, and no released OpenClaw reads the result",
        )
        backup_steps.add_arguments(steps, _add_stores)
        check_steps.add_arguments(steps, _add_stores)
        tidy_steps.add_arguments(steps, _add_stores)
        export.add_argument("--to", required=True, metavar="FILE", help="a file that is not there")

    def handle(self, *args: Any, step: str, **options: Any) -> None:
        os.umask(0o077)
        preparation.migrate_if_needed()
        try:
            status = self._step(step, options)
        except work.UsageError as error:
            raise CommandError(str(error), returncode=work.USAGE) from error
        except ProblemError as error:
            told = error.problem
            said = work.refusal(told)
            raise CommandError(said, returncode=work.FAILED) from error
        except RefusedError as error:
            raise CommandError(str(error), returncode=work.USAGE) from error
        sys.exit(status)

    def _step(self, step: str, options: dict[str, Any]) -> int:
        if step == check_steps.STEP:
            return check_steps.run(options, self.stdout.write)
        if step == tidy_steps.STEP:
            return tidy_steps.run(options, self.stdout.write)
        if step in backup_steps.STEPS:
            return backup_steps.run(
                step,
                options,
                self.stdout.write,
                tell=self._teller(),
                started=_cancel_at_signals,
            )
        readers = work.chosen(
            options["agent"] or (), options["store"] or (), everything=options["all"]
        )
        if step == "export":
            return self._export(readers, options)
        return self._run(MIGRATE if step == "migrate" else ROLLBACK, readers, options)

    def _run(self, kind: str, readers: list[work.Reader], options: dict[str, Any]) -> int:
        guard, understood = options.get("guard"), bool(options.get("yes_i_know"))
        if not readers:
            self._print([], None, options)
            return work.NOTHING
        if options["dry_run"]:
            results = [
                work.looked_at(reader, kind, guard=guard, understood=understood)
                for reader in readers
            ]
        else:
            results = work.run(
                readers,
                kind,
                guard=guard,
                understood=understood,
                reason=options["reason"],
                tell=self._teller(),
                started=_cancel_at_signals,
            )
        status = work.worst(results)
        self._print(results, status, options)
        return status

    def _print(
        self, results: list[work.Result], status: int | None, options: dict[str, Any]
    ) -> None:
        said = work.summary(results, would=options["dry_run"])
        if options["json"]:
            stores = [
                {"agent": r.store, **r.told, "outcome": r.outcome, "sentence": r.sentence}
                for r in results
            ]
            content = {"summary": said, "status": status, "stores": stores}
            self.stdout.write(json.dumps(content, indent=1, ensure_ascii=False))
            return
        for result in results:
            self.stdout.write(f"{result.store}: {result.sentence}")
            for program in result.told.get("programs", ()) if options["dry_run"] else ():
                if program["seen"]:
                    self.stdout.write(f"  {program['name']} {program['consequence']}.")
            for blocked in result.told.get("blocked", ())[:20]:
                self.stdout.write(f"  not taken over: {blocked['key'][:200]}: {blocked['reason']}")
            for finding in result.told.get("findings", ())[:20]:
                if finding["severity"] != "info":
                    self.stdout.write(f"  {finding['severity']}: {finding['message']}")
                    self.stdout.write(f"    {finding['hint']}" if finding["hint"] else "")
        self.stdout.write(said)

    def _export(self, readers: list[work.Reader], options: dict[str, Any]) -> int:
        if len(readers) != 1:
            raise work.UsageError("export writes one file, so name one agent or store")
        path = Path(options["to"]).absolute()
        report = work.export(readers[0], path, reason=options["reason"])
        said = f"{report.sessions} sessions, sha256 {report.sha256}"
        content = {"path": str(path), "sessions": report.sessions, "sha256": report.sha256}
        self.stdout.write(json.dumps(content) if options["json"] else f"{path}: {said}")
        return work.OK

    def _teller(self) -> Callable[[JobRow], None]:
        """Progress on the error stream, where somebody is looking."""
        last = ""

        def tell(row: JobRow) -> None:
            nonlocal last
            part = row.part
            now = (
                f"{row.current}: {part.done:,} of {part.total:,} {part.speed_words}" if part else ""
            )
            if now and now != last and sys.stderr.isatty():
                last = now
                self.stderr.write(f"\r{now}", ending="")

        return tell


def _add_stores(parser: ArgumentParser, *, required: bool = True, reason: bool = True) -> None:
    which = parser.add_mutually_exclusive_group(required=required)
    which.add_argument("--agent", action="append", metavar="AGENT", help="may be given again")
    which.add_argument("--store", action="append", metavar="PATH", help="a store's file or folder")
    which.add_argument("--all", action="store_true", help="every store of the state directory")
    parser.add_argument("--json", action="store_true", help="the whole plan or report as JSON")
    if reason:
        parser.add_argument("--reason", default="", metavar="TEXT", help="kept in the audit")


def _cancel_at_signals(foreground: Foreground) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: foreground.cancel())
