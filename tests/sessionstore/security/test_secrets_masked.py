"""Secrets in odd places and further published forms; and counts that must stay readable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessionstore.entries import redact

HIDDEN = "Zq7hiddenValue42x"


@pytest.mark.parametrize(
    "entry",
    [
        {"credentials": {"user": "ada", "value": HIDDEN}},
        {"credentials": [HIDDEN, {"a": HIDDEN}]},
        {"secret": {"a": {"b": [HIDDEN]}}},
        {"tokens": [HIDDEN]},
        {"apiKeys": [HIDDEN]},
        {"authorization": {"header": HIDDEN}},
        {"headers": [["Authorization", HIDDEN]]},
        {"headers": [["Cookie", HIDDEN]]},
        {"env": [{"name": "OPENAI_API_KEY", "value": HIDDEN}]},
        {"encryptionKey": HIDDEN},
        {"passcode": HIDDEN},
        {"pass": HIDDEN},
        {"otp": HIDDEN},
        {"jwt": HIDDEN},
        {"text": f"Authorization: Basic {HIDDEN}"},
        {"text": f"authorization: bearer {HIDDEN}"},
        {"text": f"export OPENAI_API_KEY={HIDDEN}"},
        {"text": f"tool --password={HIDDEN} --verbose"},
        {"text": f"tool --token {HIDDEN}"},
        {"text": json.dumps({"password": HIDDEN})},
        {"url": f"https://example.com/hook?token={HIDDEN}&a=1"},
        {"url": f"https://example.com/hook?a=1&api_key={HIDDEN}"},
        {"url": f"https://example.com/#access_token={HIDDEN}"},
        {"text": f"AccountKey={HIDDEN}{HIDDEN}{HIDDEN}=="},
    ],
    ids=lambda entry: json.dumps(entry).replace(HIDDEN, "")[:60],
)
def test_secret_in_an_odd_place_is_masked(entry: dict[str, Any]) -> None:
    assert HIDDEN not in json.dumps(redact(entry))


@pytest.mark.parametrize(
    "secret",
    [
        "AGE-SECRET-KEY-1" + "QPZRY9X8" * 7,
        "https://discord.com/api/webhooks/123456789012345678/" + "aB3_" * 17,
        "https://hooks.slack.com/services/T00000000/B00000000/" + "XyZ1" * 6,
        "https://api.telegram.org/bot123456789:AAH" + "y" * 32 + "/getMe",
        "SG." + "a" * 22 + "." + "b" * 43,
        "hvs." + "CAESI" * 8,
        "GOCSPX-" + "aB1_" * 7,
        "lin_api_" + "aB12" * 10,
        "secret_" + "aB12" * 10,
        "syt_dXNlcg_" + "aBcDeFgHiJkLmNoPqRsT_1A2B3C",
    ],
    ids=lambda secret: secret[:24],
)
def test_published_form_of_a_secret_is_masked(secret: str) -> None:
    hidden = secret.rpartition("/")[2] if "webhooks" in secret or "services" in secret else secret
    shown = json.dumps(redact({"note": f"see {secret} please"}))
    assert hidden.removesuffix("/getMe") not in shown
    assert "AAH" + "y" * 32 not in shown


@pytest.mark.parametrize(
    "entry",
    [
        {"inputTokens": 12, "totalTokens": 7.5, "tokens": 3, "tokenCount": [1, 2]},
        {"tokenUsage": {"input": 1, "output": 2}},
        {"maxTokens": 4096, "secretsFound": 0, "authProfile": "work", "keyboard": "qwerty"},
        {"url": "https://example.com/path?tokens=3&page=2", "passed": "yes", "path": "/srv/pass"},
    ],
)
def test_counts_and_plain_words_are_shown(entry: dict[str, Any]) -> None:
    assert redact(entry) == entry
