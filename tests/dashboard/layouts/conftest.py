"""A SQLite-era agent, an agent in both forms, and one that keeps one file per session."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sessionstore.store import open_store
from tests.dashboard.pages.hostile import MARKUP, SECRET
from tests.sessionstore.sqlitestore.databases import database_file, make, store_file

ADA, LIN, BOB = (f"agent:main:telegram:direct:{name}" for name in ("ada", "lin", "bob"))


def entry(name: str, **fields: Any) -> dict[str, Any]:
    return {"sessionId": f"id-{name}", "updatedAt": 1_790_000_000_000, **fields}


@dataclass(frozen=True)
class Era:
    """The state directory, and where things are in the console."""

    state: Path
    client: Client

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.client.get("/sessions.json?machine=yes").json()[
            "sessions"
        ]
        return rows

    def store(self, name: str) -> dict[str, Any]:
        stores = self.client.get("/stores.json").json()["stores"]
        found: dict[str, Any] = next(row for row in stores if row["name"] == name)
        return found

    def layouts(self, name: str) -> str:
        return f"/stores/{self.store(name)['id']}/layouts"

    def session(self, key: str = ADA) -> str:
        """The address of a session of the agent whose store is only read."""
        store_id = self.store("main")["id"]
        rows = self.rows()
        row = next(row for row in rows if row["key"] == key and row["store_id"] == store_id)
        return f"/stores/{store_id}/sessions/{row['ref']}/"

    def database(self) -> Path:
        return database_file(self.state)


@pytest.fixture
def era(tmp_path: Path, settings: Any, viewer_client: Client) -> Era:
    """Main is in the database, both in both, new in one file per session."""
    state = tmp_path / "state"
    make(
        database_file(state),
        {
            ADA: entry("ada", label="Ada", token=SECRET),
            LIN: entry("lin", label=MARKUP),
            "agent:main:cron:night": entry("cron"),
        },
    )
    make(
        database_file(state, "both"),
        {
            "agent:both:same": entry("same"),
            "agent:both:other": entry("other", label="hall", apiKey=SECRET),
            "agent:both:new": entry("new"),
            f"agent:both:{MARKUP}": entry("markup", **{MARKUP: 1}),
        },
    )
    store_file(state, "both").parent.mkdir(parents=True)
    content = {
        "agent:both:same": dict(reversed(entry("same").items())),
        "agent:both:other": entry("other", label="kitchen", apiKey=SECRET[::-1]),
        "agent:both:old": entry("old"),
        f"agent:both:{MARKUP}": entry("markup", **{MARKUP: MARKUP}),
    }
    store_file(state, "both").write_text(json.dumps(content))
    with open_store(store_file(state, "new")) as store:
        store.put("agent:new:one", entry("one"))
    settings.STATE_DIR = state
    return Era(state, viewer_client)
