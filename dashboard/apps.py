"""The console as a Django application."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DashboardConfig(AppConfig):
    """Connects the audit to the sign-in signals and loads the jobs once all models are there."""

    name = "dashboard"
    verbose_name = _("Session console")

    def ready(self) -> None:
        from . import signals
        from .jobs import kinds
        from .services.program import name_this_program

        name_this_program()
        signals.connect()
        kinds.load()
