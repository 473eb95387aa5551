"""The name that the console's processes have in tables and reports of locks and writes."""

from __future__ import annotations

import os
import sys

from sessionstore.locks import name_program

_OWN_SCRIPTS = frozenset(["manage.py", "gunicorn"])
NAME = "sessionstore console"


def name_this_program() -> None:
    """So that an operator tells the console from the writers. A foreign script keeps its name."""
    words = sys.argv or [""]
    script = os.path.basename(words[0].removesuffix("/__main__.py"))
    if script in _OWN_SCRIPTS:
        is_command = script == "manage.py" and len(words) > 1
        name_program(f"{NAME}: {words[1]}" if is_command else NAME)
