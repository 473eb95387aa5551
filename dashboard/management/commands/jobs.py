"""``manage.py jobs``: run jobs, mirrors, metrics and checks, until told to stop."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dashboard.jobs.runner import Runner
from dashboard.services.metrics_follow import Follower
from dashboard.services.mirrors import Mirrors
from dashboard.services.watching import Watching
from dashboard.serving import preparation


class Command(BaseCommand):
    """Run jobs; SIGTERM or SIGINT ends it after the item at hand, which may take a while."""

    help = "Run the jobs that people asked for, until SIGINT or SIGTERM. manage.py serve does it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="run what may run now, then end: for cron, where no runner is always at work",
        )

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        os.umask(0o077)
        if settings.READ_ONLY:
            raise CommandError("this console is read-only (SESSIONSTORE_READ_ONLY): no jobs here")
        if not preparation.is_migrated():
            raise CommandError("the database is not prepared: run manage.py migrate, or serve")
        runner = Runner()

        def stop(number: int, frame: FrameType | None) -> None:
            runner.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        if once:
            runner.run(once=True)
            Watching().once()
            Follower().finish()
            return
        helpers = (Mirrors(), Follower(), Watching())
        for helper in helpers:
            helper.start()
        try:
            runner.run()
        finally:
            for helper in reversed(helpers):
                helper.stop()
