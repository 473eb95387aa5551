"""The one masking function: what may be a secret never leaves through any output.

Field names are matched by whole words, so that ``inputTokens`` (a count) is shown and
``botToken`` is not (over-masking: openclaw issue 86030). All text below a secret name is masked.
Values are matched by the published forms of keys, and by an assignment to a secret name inside a
text. Numbers are always shown. The mask has no trace of the value, not even its length.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

MASK = "[masked]"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    [
        "secret",
        "secrets",
        "password",
        "passwords",
        "passwd",
        "passphrase",
        "passcode",
        "pass",
        "pwd",
        "token",
        "bearer",
        "credential",
        "credentials",
        "apikey",
        "apikeys",
        "authorization",
        "cookie",
        "cookies",
        "jwt",
        "otp",
    ]
)
_KEY_WORDS = frozenset(["api", "private", "access", "signing", "auth", "encryption", "account"])
_COUNT_WORDS = frozenset(
    ["usage", "count", "counts", "limit", "budget", "total", "max", "min", "used", "fresh"]
)
_NAMING = frozenset(["name", "key", "header", "id"])

_SECRET_VALUE = re.compile(
    r"""
    -----BEGIN[ ][A-Z0-9 ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z0-9 ]*PRIVATE[ ]KEY-----|\Z)
    | \b(?:
        (?:sk|pk|rk)[-_](?:ant|proj|live|test|or|svcacct|admin)?[-_]?[A-Za-z0-9_-]{16,}
        | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,} | glpat-[A-Za-z0-9_-]{16,}
        | xox[abeoprs]-[A-Za-z0-9-]{10,} | xapp-[A-Za-z0-9-]{10,}
        | (?:AKIA|ASIA)[A-Z0-9]{16}\b
        | AIza[A-Za-z0-9_-]{30,} | ya29\.[A-Za-z0-9_-]{20,} | GOCSPX-[A-Za-z0-9_-]{20,}
        | (?:hf|npm|pypi|sst|whsec|gsk|xai|r8|fw|tvly|pplx|dop_v1|shpat|sq0atp)
          [-_][A-Za-z0-9_-]{16,}
        | (?:lin_api|secret)_[A-Za-z0-9]{20,} | syt_[A-Za-z0-9]+_[A-Za-z0-9]+_[A-Za-z0-9]+
        | SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,} | hvs\.[A-Za-z0-9_-]{20,}
        | AGE-SECRET-KEY-1[A-Z0-9]{20,}
        | [MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}
      )
    # Looked for from the start of a run of its characters: from each "eyJ" in it, a long run that
    # ends in no dot would be read again and again.
    | (?<![A-Za-z0-9_-]) (?=[A-Za-z0-9_-]{11,}\.[A-Za-z0-9_-]{8,}\.) (?:[A-Za-z0-9_-]*-)?
      eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | (?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{30,}
    | (?<=/api/webhooks/)\d+/[A-Za-z0-9_-]{20,}
    | (?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,  # a key of a session is folded to lower case
)
# Further published forms. They are looked for only where a word is long enough to be one: a text
# without (most have none) is spared the many alternatives.
_LONG_WORD = re.compile(r"[A-Za-z0-9_+/=-]{16}")
_MORE_VALUES = re.compile(
    r"""
    \b(?:
        gl(?:ptt|dt|rt|cbt|ft|imt|agent|soat)-[\w-]{16,} | gl(?:sa|c)_[\w+/=]{32,}
        | dckr_[po]at_[\w-]{20,} | dapi[a-f0-9]{32} | do[or]_v1_[a-f0-9]{40,}
        | dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{30,} | ntn_\w{30,} | fig[du]_[\w-]{30,}
        | shp(?:ss|ca|pa|ua)_[a-f0-9]{32} | sbp_[a-f0-9]{40} | sb_secret_[\w-]{20,}
        | fm[12]_[\w+/=-]{40,} | tskey-[a-z]+-[\w-]{16,} | sntry[su]_[\w+/=-]{30,}
        | NRAK-[A-Z0-9]{27} | pscale_(?:tkn|pw|oauth)_[\w.-]{30,} | PMAK-[a-f0-9]{24}-[a-f0-9]{32,}
        | pat[A-Z0-9]{14}\.[a-f0-9]{64} | jina_[\w-]{40,} | (?:fc|key)-[a-f0-9]{32} | SK[a-f0-9]{32}
        | pa-(?=\w*\d)[\w-]{43}(?![\w-]) | lsv2_(?:pt|sk)_[a-f0-9_]{32,} | HRKU-[\w-]{36,}
        | ATATT3[\w=-]{40,}
        | pul-[a-f0-9]{40} | hv[br]\.[\w-]{20,} | [A-Z0-9]{14}\.atlasv1\.[\w=-]{40,}
        | rubygems_[a-f0-9]{48} | lin_oauth_\w{20,} | nvapi-[\w-]{40,} | csk-[a-z0-9]{40,}
        | tgp_v1_[\w-]{30,} | xkeysib-[a-f0-9]{64}-\w{16} | oauth:[a-z0-9]{30} | EAA[\w-]{45,}
        | sk\.eyJ[\w-]{20,}\.[\w-]{16,} | (?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[\w+/=-]{40,}
        | b3BlbnNzaC1rZXktdjE[\w+/=]* | 1//0[\w-]{30,}
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
# A scheme or a secret name, then its value. Digits alone are a count, not a secret; a mask stays
# as it is, so that masking twice is masking once.
_ASSIGNED = re.compile(
    r"""
    (   \b(?:basic|bearer)\ + (?=\S*[\d=+/])
      | --(?:token|password|secret|api-key)\ +
      | (?:token|password|passwd|secret|credential|(?:api|access|account|private|signing)[_-]?key)
        (?:\\?["'])? \s{0,3} [=:] \s{0,3} (?:\\?["'])?
    )
    (?!\d+\b|\[masked\]) [^\s"'&,;\\)\]}]{6,}
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Short words, whole numbers, UUIDs (not after a number, as the key of a bot has it) and what is
# between them. Every form of a key above has a longer word, or one of the hints.
_PLAIN = re.compile(
    r"""
    (?: (?: [A-Za-z0-9_-]{1,10}+ | [0-9]{11,}+
          | (?<![0-9]:) [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
        ) (?![A-Za-z0-9_-])
      | [^A-Za-z0-9_%-]
    )*+
    """,
    re.VERBOSE,
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_HINTS = (
    *("key", "token", "secret", "passw", "credential", "basic ", "bearer "),
    *("--", "://", "hooks", "syt_"),
)


def redact(value: Any, *, name: str = "") -> Any:
    """A deep copy of a JSON value with secrets replaced by :data:`MASK`.

    ``name`` is the field that holds it. Numbers, booleans and None are never masked. Field
    names are cleaned too: a secret can be one.
    """
    return _redact(value, _is_secret_name(name))


def _redact(value: Any, secret: bool) -> Any:
    if isinstance(value, str):
        return MASK if secret and value and not value.isdigit() else _clean(value)
    if isinstance(value, dict):
        named = any(
            isinstance(text, str) and field.lower() in _NAMING and _is_secret_name(text)
            for field, text in value.items()
        )
        return {
            _clean(field): _redact(
                item, secret or _is_secret_name(field) or (named and field.lower() == "value")
            )
            for field, item in value.items()
        }
    if isinstance(value, list | tuple):
        if len(value) == 2 and isinstance(value[0], str) and _is_secret_name(value[0]):
            return [_clean(value[0]), _redact(value[1], True)]
        return [_redact(item, secret) for item in value]
    return value


def _clean(text: str) -> str:
    if _is_plain(text):
        return text
    cleaned = _masked(text)
    if "%" in cleaned:
        # In the name of a file and in an address a key is percent-encoded, which hides its form.
        decoded = unquote(cleaned)
        found = _masked(decoded)
        return found if found != decoded else cleaned
    return cleaned


def _is_plain(text: str) -> bool:
    """Tell quickly of most texts that nothing in them is masked; False says nothing."""
    if not text.isascii() or _PLAIN.fullmatch(text) is None:
        return False
    folded = text.lower()
    for hint in _HINTS:  # noqa: SIM110  # a generator takes three times as long
        if hint in folded:
            return False
    return True


def _masked(text: str) -> str:
    if "\x1b[" in text:  # the letter and the numbers of a colour hide where a secret begins
        bare = _COLOUR.sub("", text)
        found = _found(bare)
        if found != bare:
            return found
    return _found(text)


def _found(text: str) -> str:
    if _LONG_WORD.search(text):
        text = _MORE_VALUES.sub(MASK, text)
    return _ASSIGNED.sub(rf"\g<1>{MASK}", _SECRET_VALUE.sub(MASK, text))


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name[:200])]
    if not _COUNT_WORDS.isdisjoint(words):
        return False
    if words == ["tokens"]:  # with another word it is a count: inputTokens, tokensBefore
        return True
    return not _SECRET_WORDS.isdisjoint(words) or any(
        second in ("key", "keys") and first in _KEY_WORDS for first, second in pairwise(words)
    )
