"""Who may see and do what beyond the role: agents, sign-ins, invites, API tokens, SSO names."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.db import models


class AgentScope(models.Model):
    """The agents that a person may see; without a row, all. Does not bind admins."""

    user: models.OneToOneField[User, User] = models.OneToOneField(
        User, on_delete=models.CASCADE, related_name="agent_scope"
    )
    agents: models.JSONField[list[str], list[str]] = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.user}: {', '.join(self.agents) or 'no agent'}"


class SignIn(models.Model):
    """One sign-in of a person. ``handle`` is in the session; the session's own key never here.

    ``sso_name`` is the name that a proxy asserted, empty for a sign-in by password.
    ``confirmed_at`` is when the person last proved who they are.
    """

    handle = models.CharField(max_length=32, unique=True)
    user: models.ForeignKey[User, User] = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="sign_ins"
    )
    address = models.CharField(max_length=45, blank=True)
    program = models.CharField(max_length=200, blank=True)
    sso_name = models.CharField(max_length=150, blank=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    seen_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    confirmed_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    ended_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True, db_index=True
    )
    ended_because = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at}"


class Invite(models.Model):
    """Lets its holder choose the password of one account, once. Only the token's hash is kept."""

    user: models.OneToOneField[User, User] = models.OneToOneField(
        User, on_delete=models.CASCADE, related_name="invite"
    )
    digest = models.CharField(max_length=64, unique=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    expires_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()

    def __str__(self) -> str:
        return f"for {self.user} until {self.expires_at}"


class ApiToken(models.Model):
    """A token for the JSON API. Only its hash is kept; ``prefix`` is what people see of it."""

    name = models.CharField(max_length=100)
    user: models.ForeignKey[User, User] = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="api_tokens"
    )
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=20)
    agents: models.JSONField[Any, Any] = models.JSONField(null=True, default=None)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    expires_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    last_used_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    last_used_address = models.CharField(max_length=45, blank=True)
    revoked_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user}"


class SsoName(models.Model):
    """Whom a name asserted by the proxy is; a name without a row is refused."""

    name = models.CharField(max_length=150, unique=True)
    user: models.ForeignKey[User, User] = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="sso_names"
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return f"{self.name} is {self.user}"
