"""Uses a console that may read a state directory and nothing else. Prints what came of it as JSON.

Run as a program, where the state directory is mounted read-only and there is no network.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"

import django

PAGES = (
    "/",
    "/stores/",
    "/sessions/",
    "/sessions.json",
    "/undo/",
    "/jobs/",
    "/audit/",
    "/security/",
)


def network() -> str:
    """What comes of asking another machine for something."""
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=5).close()
    except OSError as error:
        return type(error).__name__
    return "connected"


def main(state: str) -> dict[str, Any]:
    """Look at every screen as an admin, and try to rename a session."""
    django.setup()
    from django.contrib.auth.models import User
    from django.test import Client

    from dashboard.roles import assign_role
    from dashboard.serving import preparation

    preparation.migrate_if_needed()
    preparation.collect_static_if_needed()
    user = User.objects.create_user("alice")
    assign_role(user, "admin")
    client = Client(raise_request_exception=False, headers={"Host": "localhost"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    row = client.get("/sessions.json").json()["sessions"][0]
    session = f"/stores/{row['store_id']}/sessions/{row['ref']}/"
    pages = {path: client.get(path).status_code for path in (*PAGES, session, f"{session}edit/")}
    refused = client.post(f"{session}act/archive/", {"reason": "to try"})
    try:
        (Path(state) / "probe").write_text("x")
        mount = "writable"
    except OSError as error:
        mount = os.strerror(error.errno or 0)
    return {
        "pages": pages,
        "status": refused.status_code,
        "text": refused.text,
        "mount": mount,
        "network": network(),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
