"""Programs with tokens of each role, and a store that they read and change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard import tokens
from dashboard.roles import Role
from dashboard.services.fleet import fleet
from dashboard.services.refs import SESSION_LENGTH, digest
from sessionstore.store import Store, open_store
from tests.conftest import MakeUser

AT = 1_790_000_000_000
KEY = "agent:main:telegram:direct:ada"
OTHER = "agent:main:signal:direct:lin"
SECRET = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Program:
    """A program with a token. Paths are those below ``/api/v1``."""

    token: str
    client: Client

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Any:
        """Send a request; ``body`` is sent as JSON unless it is bytes already."""
        sent = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        if body is None:
            return self.client.generic(method, f"/api/v1{path}", headers=sent)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic(
            method, f"/api/v1{path}", content, "application/json", headers=sent
        )

    def get(self, path: str, **headers: str) -> Any:
        """GET a path."""
        return self.ask("GET", path, headers=named(headers))

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        """PATCH a path."""
        return self.ask("PATCH", path, body, headers=named(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST to a path."""
        return self.ask("POST", path, body, headers=named(headers))

    def delete(self, path: str, **headers: str) -> Any:
        """DELETE a path."""
        return self.ask("DELETE", path, headers=named(headers))


def named(headers: dict[str, str]) -> dict[str, str]:
    """Header names from keyword names: ``if_match`` is If-Match."""
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


MakeProgram = Callable[..., Program]


@pytest.fixture
def make_program(make_user: MakeUser) -> MakeProgram:
    """Return a maker of programs: a person of this role, and a token of theirs."""

    def make(role: Role, *, name: str = "", agents: list[str] | None = None) -> Program:
        owner: User = make_user(name or f"{role}-of-program", role)
        token = tokens.issue(owner, name="a program", role=role, agents=agents)
        return Program(token, Client(raise_request_exception=False))

    return make


@pytest.fixture
def viewer(make_program: MakeProgram) -> Program:
    """A program that may look."""
    return make_program("viewer")


@pytest.fixture
def operator(make_program: MakeProgram) -> Program:
    """A program that may change what the form has."""
    return make_program("operator")


@pytest.fixture
def admin(make_program: MakeProgram) -> Program:
    """A program that may change everything."""
    return make_program("admin")


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    """Two sessions of one agent, one with a secret, watched by the console."""
    settings.STATE_DIR = tmp_path / "state"
    store = open_store(settings.STATE_DIR / "agents" / "main" / "sessions")
    store.put(
        KEY,
        {
            "sessionId": "id-ada",
            "updatedAt": AT,
            "label": "Ada",
            "totalTokens": 1,
            "botToken": SECRET,
        },
    )
    store.put(OTHER, {"sessionId": "id-lin", "updatedAt": AT - 5, "label": "Lin"})
    return store


@pytest.fixture
def store_id(store: Store) -> str:
    """The id of the store in addresses."""
    return fleet().scan().readers[0].id


def ref_of(key: str) -> str:
    """The id of a session in addresses."""
    return digest(key)[:SESSION_LENGTH]


@pytest.fixture
def ada(store_id: str) -> str:
    """The address of Ada's session."""
    return f"/stores/{store_id}/sessions/{ref_of(KEY)}"


def code_of(answer: Any) -> str:
    """The code of a problem, which says that the answer is one."""
    assert answer["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    return str(told["code"])
