"""``manage.py collect``: add up what writers report, where no job runner is at work."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dashboard.services.metrics_follow import Follower
from dashboard.serving import preparation


class Command(BaseCommand):
    """Keep the totals of ``/metrics``; changes nothing but the console's own files."""

    help = (
        "Add up what writers report, for /metrics, until SIGINT or SIGTERM. Job runners do it too;"
        " this is for a read-only console, which has none. manage.py serve does it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        if not settings.METRICS_TOKEN:
            raise CommandError("there are no metrics here: SESSIONSTORE_METRICS_TOKEN is not set")
        if not preparation.is_migrated():
            raise CommandError("the database is not prepared: run manage.py migrate, or serve")
        stopping = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        follower = Follower()
        follower.start()
        stopping.wait()
        follower.stop()
