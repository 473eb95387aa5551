"""The guard: a directory at the store's path, so that older programs fail instead of starting over.

What OpenClaw's releases do when they meet one was observed (openclaw-interop, "A directory with
only sessions.d/"). A run leaves it where asked to; rollback removes it.
"""

from __future__ import annotations

from ..layout import GUARD_NOTE_NAME, is_guard
from ..paths import StorePaths

__all__ = ["GUARD_NOTE_NAME", "guard_note", "is_guard"]


def guard_note(paths: StorePaths) -> bytes:
    """What the note in the guard says, for whoever finds it there. UTF-8 text."""
    store, directory = paths.store_path.name, paths.directory.name
    return f"""\
This folder stands where {store} was, on purpose.

The sessions have moved to {directory}/, one file for each. Programs that know only {store}
would find no session here, begin a new and empty store, and later take the transcripts
beside it for orphans. With a folder of this name they fail with an error instead.

Nothing is lost: the file as it was is kept beside this folder as {store}.bak.<time>, and
every session is in {directory}/.

To go back, undo the migration (rollback). It writes a new {store} with everything
that was written since, and removes this folder. Do not remove it by hand while a program
of the old kind may start.
""".encode()
