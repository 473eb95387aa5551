"""``manage.py verify_audit``: check the chain of audit events."""

from __future__ import annotations

import itertools
import re
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard import audit
from dashboard.models import AuditHead

_MOST_SHOWN = 50


def _noted(text: str) -> tuple[int, str]:
    match = re.fullmatch(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", text)
    if match is None:
        raise ArgumentTypeError("must look like 42:<64 hexadecimal digits>")
    return int(match[1]), match[2]


class Command(BaseCommand):
    """Name every altered or missing audit event; the exit status is 1 when there is one."""

    help = "Check the audit log's hash chain and name what was altered or removed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--expect",
            metavar="SEQUENCE:HASH",
            type=_noted,
            help="an end of the chain that was noted earlier: shows a chain rewritten as a whole",
        )

    def handle(self, *args: Any, expect: tuple[int, str] | None, **options: Any) -> None:
        breaks = list(itertools.islice(audit.verify(expected=expect), _MOST_SHOWN + 1))
        for sentence in breaks[:_MOST_SHOWN]:
            self.stdout.write(sentence)
        if breaks:
            more = " and more" if len(breaks) > _MOST_SHOWN else ""
            raise CommandError(f"the audit chain is broken in {len(breaks)} places{more}")
        head = AuditHead.objects.filter(pk=1).first() or AuditHead()
        self.stdout.write(f"unbroken, {head.sequence:,} events; the end is {head}")
