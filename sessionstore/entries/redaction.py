"""The one masking function: what may be a secret never leaves through any output.

Field names are matched by whole words, so that ``inputTokens`` (a count) is shown and
``botToken`` is not (over-masking: openclaw issue 86030). Values are matched by the published
forms of keys. The mask has no trace of the value, not even its length.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

MASK = "[masked]"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    [
        "secret",
        "secrets",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "token",
        "bearer",
        "credential",
        "credentials",
        "apikey",
        "authorization",
        "cookie",
        "cookies",
    ]
)
_SECRET_PAIRS = frozenset(
    [
        ("api", "key"),
        ("private", "key"),
        ("access", "key"),
        ("signing", "key"),
        ("auth", "key"),
    ]
)
_SECRET_VALUE = re.compile(
    r"""
    -----BEGIN[ ][A-Z0-9 ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z0-9 ]*PRIVATE[ ]KEY-----|\Z)
    | \b(?:sk|pk|rk)[-_](?:ant|proj|live|test|or|svcacct|admin)?[-_]?[A-Za-z0-9_-]{16,}
    | \b(?:gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,} | glpat-[A-Za-z0-9_-]{16,})
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,} | \bxapp-[A-Za-z0-9-]{10,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bAIza[A-Za-z0-9_-]{30,} | \bya29\.[A-Za-z0-9_-]{20,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | \b\d{8,10}:AA[A-Za-z0-9_-]{30,}
    | \b(?:hf|npm|pypi|whsec|gsk|xai|r8|fw|tvly|pplx|dop_v1|shpat|sq0atp)[-_][A-Za-z0-9_-]{16,}
    | \b[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}
    | (?<=[Bb]earer[ ])[A-Za-z0-9._~+/=-]{8,}
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)
    """,
    re.VERBOSE | re.DOTALL,
)


def redact(value: Any, *, name: str = "") -> Any:
    """A deep copy of a JSON value with secrets replaced by :data:`MASK`.

    ``name`` is the field that holds it. Numbers, booleans and None are never masked. Field
    names are cleaned too: a secret can be one.
    """
    if isinstance(value, str):
        if value and _is_secret_name(name):
            return MASK
        return _SECRET_VALUE.sub(MASK, value)
    if isinstance(value, dict):
        return {
            _SECRET_VALUE.sub(MASK, inner): redact(item, name=inner)
            for inner, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item, name=name) for item in value]
    return value


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name[:200])]
    return not _SECRET_WORDS.isdisjoint(words) or any(
        pair in _SECRET_PAIRS for pair in pairwise(words)
    )
