"""How passwords are hashed."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class SmallArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with the cost that OWASP names as enough: 19 MiB, two passes, one lane.

    Django's own cost is 100 MiB: sixteen sign-ins at once would take the memory of the gateway
    that this console runs beside.
    """

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1
