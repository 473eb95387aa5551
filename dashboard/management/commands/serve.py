"""``manage.py serve``: prepare, say where it is, and serve until told to stop."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from dashboard import accounts
from dashboard.serving import demo_place, exposure, preparation
from dashboard.serving.children import Children

#: Two, so that a long job on one store keeps nobody waiting on another, and so that a job whose
#: runner dies is taken over at once.
_RUNNERS = 2


class Command(BaseCommand):
    """Serve the console with gunicorn and run its jobs; ``--demo`` adds a state to look at."""

    help = "Prepare the console and serve it until SIGINT or SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--demo",
            action="store_true",
            help="watch a demo state with live writers, whatever is configured",
        )

    def handle(self, *args: Any, demo: bool, **options: Any) -> None:
        os.umask(0o077)
        _refuse_busy_port()
        migrated = preparation.migrate_if_needed()
        missing = exposure.missing_for(settings.BIND_ADDRESS)
        if missing:
            raise CommandError(
                f"refusing to serve on {settings.BIND_ADDRESS}, which is reachable from other"
                " machines; missing:\n  - " + "\n  - ".join(missing)
            )
        if not settings.DEBUG:
            preparation.collect_static_if_needed()
        if migrated:
            self.stdout.write("The database is ready.")
        if demo or settings.STATE_DIR is None:
            status = self._serve_demo()
        else:
            status = self._serve(
                _existing(settings.STATE_DIR), Children(settings.BASE_DIR), dict(os.environ)
            )
        sys.exit(status)

    def _serve_demo(self) -> int:
        try:
            claimed = demo_place.claim(demo_place.default_place())
        except demo_place.DemoPlaceError as error:
            raise CommandError(str(error)) from error
        try:
            state_dir = demo_place.emptied_state_dir(demo_place.default_place())
            self.stdout.write(f"Building a demo: invented sessions in {state_dir}")
            self.stdout.flush()
            demo = [sys.executable, "-m", "sessionstore.demo", str(state_dir)]
            subprocess.run(demo, cwd=settings.BASE_DIR, check=True)
            environment = {
                "SESSIONSTORE_ENVIRONMENT": "Demo",
                "SESSIONSTORE_ENVIRONMENT_COLOUR": "violet",
                **os.environ,
                "SESSIONSTORE_STATE_DIR": str(state_dir),
            }
            children = Children(settings.BASE_DIR)
            children.start("demo writers", [*demo, "--writers"], environment)
            return self._serve(state_dir, children, environment)
        finally:
            os.close(claimed)

    def _serve(self, state_dir: Path, children: Children, environment: dict[str, str]) -> int:
        self.stdout.write(f"State directory: {state_dir}")
        self.stdout.write(f"Console:         {exposure.base_url()}/")
        if settings.READ_ONLY:
            self.stdout.write("Read-only:       changes are refused (SESSIONSTORE_READ_ONLY)")
        if not accounts.has_users():
            self._print_setup_link()
        self.stdout.write("Stop with Ctrl-C.")
        self.stdout.flush()
        connections.close_all()
        children.start("gunicorn", [sys.executable, "-m", "gunicorn"], environment)
        if not settings.READ_ONLY:
            runner = [sys.executable, str(settings.BASE_DIR / "manage.py"), "jobs"]
            for number in range(1, _RUNNERS + 1):
                children.start_again_and_again(f"job runner {number}", runner, environment)
        elif settings.METRICS_TOKEN:
            collector = [sys.executable, str(settings.BASE_DIR / "manage.py"), "collect"]
            children.start_again_and_again("collector", collector, environment)
        return children.wait()

    def _print_setup_link(self) -> None:
        token = accounts.issue_setup_token(timezone.now())
        minutes = int(settings.SETUP_TOKEN_LIFETIME.total_seconds() // 60)
        self.stdout.write(
            f"First admin:     {exposure.base_url()}/setup/?token={token}\n"
            f"                 (works once, for {minutes} minutes; manage.py setup_link prints"
            " another)"
        )


def _existing(state_dir: Path) -> Path:
    if not state_dir.is_dir():
        raise CommandError(f"the state directory {state_dir} does not exist or is no directory")
    return state_dir


def _refuse_busy_port() -> None:
    """Say which setting to change, where gunicorn would retry for seconds and show a traceback."""
    address, port = settings.BIND_ADDRESS, settings.PORT
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise CommandError(
                f"cannot listen on {address} port {port}: {error.strerror}; choose another"
                " (PORT=8001 make run, or SESSIONSTORE_PORT)"
            ) from error
