"""Writer processes beside the console, and what each of them wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from sessionstore.store import Store
from tests.conftest import REPOSITORY

WRITERS = ("first", "second", "third")


class Writers:
    """Writer processes on one store."""

    def __init__(self, store: Store, names: Sequence[str] = WRITERS) -> None:
        command = [sys.executable, "-m", "tests.dashboard.bulk.writer", str(store.path)]
        self.running = {
            name: subprocess.Popen(
                [*command, name], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
            )
            for name in names
        }

    def stop(self) -> dict[str, dict[str, int]]:
        """End them, and give what each wrote."""
        for child in self.running.values():
            child.terminate()
        outputs = {name: child.communicate(timeout=30)[0] for name, child in self.running.items()}
        return {name: json.loads(text) for name, text in outputs.items()}
