"""``manage.py field_page``: write the page about the fields of an entry."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from dashboard.services.field_page import field_page


class Command(BaseCommand):
    """Print docs/fields.md as the field table has it now."""

    help = "Print the page about the fields of an entry: manage.py field_page > docs/fields.md"
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(field_page(), ending="")
