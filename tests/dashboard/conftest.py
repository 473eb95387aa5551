"""What the tests of several parts of the console share."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError


@pytest.fixture
def sessions(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a caller of ``manage.py sessions``: its exit status and what it printed."""

    def call(*arguments: str) -> tuple[int, str]:
        try:
            call_command("sessions", *arguments)
        except SystemExit as ended:
            return int(str(ended.code)), capsys.readouterr().out
        except CommandError as error:
            return error.returncode, str(error)
        raise AssertionError("it ended without a status")

    return call
