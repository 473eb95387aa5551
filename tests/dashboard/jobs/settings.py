"""The product's settings with one more app, which knows a kind of job for tests."""

from __future__ import annotations

from dashboard.settings import *  # noqa: F403
from dashboard.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.dashboard.jobs.visiting.Visiting"]
