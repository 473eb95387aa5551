"""``manage.py setup_link``: print a new one-time link for the first admin."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dashboard import accounts
from dashboard.refusals import RefusedError
from dashboard.serving import exposure


class Command(BaseCommand):
    """Print a link that makes the first admin; the ones printed before stop working."""

    help = "Print a new one-time link that makes the first admin."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            token = accounts.issue_setup_token(timezone.now())
        except RefusedError as error:
            raise CommandError(f"{error.cause} {error.next_step}") from error
        self.stdout.write(f"{exposure.base_url()}/setup/?token={token}")
