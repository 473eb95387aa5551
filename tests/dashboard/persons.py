"""People who ask for addresses the way that each address wants: with a cookie or with a token."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from dashboard import tokens
from dashboard.models import AgentScope
from dashboard.roles import role_of
from tests.conftest import client_for
from tests.dashboard.url_map import Address


def limit(user: User, *agents: str) -> None:
    """Let a person see only these agents."""
    AgentScope.objects.update_or_create(user=user, defaults={"agents": list(agents)})


class Person:
    """Somebody with a browser that is signed in and, if they have a role, an API token of it."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = client_for(user)
        role = role_of(user)
        self.token = tokens.issue(user, name="test", role=role) if role else ""

    def again(self) -> Person:
        """The same person in a new browser, with a new token in place of those before."""
        for row in self.user.api_tokens.filter(revoked_at=None):
            tokens.revoke(row)
        return Person(self.user)

    def ask(self, address: Address, method: str, path: str, **extra: Any) -> Any:
        """Ask for one path of an address."""
        if not address.wants_token:
            return self.client.generic(method, path, **extra)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.client.generic(method, path, headers=headers, **extra)
