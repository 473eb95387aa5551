"""Masking: keys of the published forms never leave, counts of tokens do."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore.entries import MASK, redact, redaction

# Spelt in two parts, so that no scanner takes this file for a leak.
SECRETS = [
    "sk-" + "proj-AbCdEf0123456789AbCdEf0123456789",
    "sk-" + "ant-api03-AbCdEf0123456789-AbCdEf0123456789",
    "sk_" + "live_AbCdEf0123456789AbCd",
    "rk_" + "test_AbCdEf0123456789AbCd",
    "gh" + "p_AbCdEf0123456789AbCdEf0123456789Ab",
    "github" + "_pat_11ABCDEFG0123456789_abcdefghij",
    "gl" + "pat-AbCdEf0123456789AbCd",
    "xo" + "xb-123456789012-123456789012-AbCdEf",
    "xo" + "xp-123456789012-AbCdEf",
    "xa" + "pp-1-A0123456789-123456789012-abcdef",
    "AK" + "IAIOSFODNN7EXAMPLE",
    "AI" + "zaSyA-0123456789abcdefghijklmnopqrstu",
    "ya" + "29.A0ARrdaM-0123456789abcdefghij",
    "ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
    "1234567890:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "hf" + "_AbCdEf0123456789AbCdEf",
    "np" + "m_AbCdEf0123456789AbCdEf0123456789",
    "gs" + "k_AbCdEf0123456789AbCdEf",
    "Bearer " + "AbCdEf0123456789.x-y_z",
    "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
    "postgres://user:" + "hunter22@db.example/x",
]


_HEX, _MIX = "0123456789abcdef" * 4, "AbCdEf0123456789" * 5
#: Forms of further services: what they begin with, and the rest.
MORE_SECRETS = [
    start + rest
    for start, rest in (
        *(("glptt-", _MIX[:40]), ("gldt-", _MIX[:20]), ("glrt-", _MIX[:20]), ("glsa_", _MIX[:41])),
        *(("dckr_pat_", _MIX[:27]), ("dapi", _HEX[:32]), ("doo_v1_", _HEX), ("dp.pt.", _MIX[:43])),
        *(("ntn_", _MIX[:40]), ("figd_", _MIX[:40]), ("shpss_", _HEX[:32]), ("sbp_", _HEX[:40])),
        *(
            ("sb_secret_", _MIX[:31]),
            ("fm2_", _MIX),
            ("tskey-auth-", f"{_MIX[:12]}CNTRL-{_MIX[:20]}"),
        ),
        *(
            ("sntrys_", _MIX),
            ("NRAK-", _MIX[:27]),
            ("pscale_tkn_", _MIX[:43]),
            ("jina_", _MIX[:48]),
        ),
        *(
            ("PMAK-", f"{_HEX[:24]}-{_HEX[:34]}"),
            ("pat", f"{_MIX[:14]}.{_HEX}"),
            ("fc-", _HEX[:32]),
        ),
        *(("key-", _HEX[:32]), ("SK", _HEX[:32]), ("pa-", _MIX[:43]), ("HRKU-", _MIX[:48])),
        *(("lsv2_pt_", f"{_HEX[:32]}_{_HEX[:10]}"), ("ATATT3xFfGF0", _MIX), ("pul-", _HEX[:40])),
        *(("hvb.", _MIX), (f"{_MIX[:14]}.atlasv1.", _MIX), ("rubygems_", _HEX[:48])),
        *(("lin_oauth_", _MIX[:40]), ("nvapi-", _MIX), ("csk-", _MIX[:48]), ("tgp_v1_", _MIX[:43])),
        *(("xkeysib-", f"{_HEX}-{_MIX[:16]}"), ("oauth:", _MIX[:30]), ("EAAC", _MIX)),
        *(("sk.eyJ1Ijoi", f"{_MIX}.{_MIX[:22]}"), ("IQoJb3JpZ2lu", _MIX), ("1//0", _MIX[:40])),
        ("b3BlbnNzaC1rZXktdjE", "AAAABG5vbmU"),
    )
]


@pytest.mark.parametrize("secret", MORE_SECRETS, ids=lambda secret: secret[:12])
@pytest.mark.parametrize("frame", ["{}", "before {} after", "say:{};", '"{}"'])
def test_redact_masks_forms_of_further_services_also_folded(secret: str, frame: str) -> None:
    for text in (secret, secret.lower(), quote(secret, safe="")):
        shown = redact({"note": frame.format(text)})["note"]
        assert MASK in shown
        assert secret[-10:].lower() not in shown.lower()


@pytest.mark.parametrize(
    "text",
    [
        "jina-embeddings-v2-base-en",
        "jina_embeddings",
        "patience.with.a.release-of-some-length-2026",
        "key-value-store-of-the-session",
        "pa-rametrised-test-names-are-long-but-harmless-x",
        "skipped-because-nothing-changed",
        "fc-barcelona-fans-and-their-long-names",
        "agent:main:telegram:group:-1001234567890:topic:42",
        "glc-something-ordinary-and-long",
        "ghost-in-the-shell-2026-07-01-transcript.jsonl",
        "eaa0f6d4-6a5e-4c60-a0b5-3f5f6b8f1a2b",
        "oauth:callback-of-the-gateway",
    ],
)
def test_redact_leaves_what_only_looks_a_little_like_a_key(text: str) -> None:
    assert redact({"note": text})["note"] == text


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:12])
@pytest.mark.parametrize("frame", ["{}", "before {} after", "key={};", '"{}"'])
def test_redact_masks_known_forms_of_keys_anywhere_in_text(secret: str, frame: str) -> None:
    text = frame.format(secret)
    shown = redact({"note": text})["note"]
    assert MASK in shown
    for word in re.split(r"Bearer |postgres://user:|@db.example/x", secret):
        assert word == "" or word not in shown


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:12])
def test_redact_masks_keys_that_were_folded_as_keys_of_sessions_are(secret: str) -> None:
    folded = f"agent:main:telegram:group:{secret}".lower()
    assert MASK in redact(folded)
    assert secret.rpartition(" ")[2].lower() not in redact(folded)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:12])
def test_redact_masks_keys_in_names_of_files(secret: str) -> None:
    name = f"/srv/sessions.d/agent%3Amain%3Aexplicit%3A{quote(secret, safe='')}.json"
    shown = redact(name)
    assert MASK in shown
    for word in re.split(r"Bearer |postgres://user:|@db.example/x", secret):
        assert word == "" or (word not in shown and quote(word, safe="") not in shown)


def test_redact_leaves_names_of_files_as_they_are() -> None:
    name = "/srv/sessions.d/agent%3Amain%3Atelegram%3Adirect%3A4711%2F100%25.json"
    assert redact(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "botToken",
        "token",
        "api_key",
        "apiKey",
        "APIKEY",
        "clientSecret",
        "password",
        "passphrase",
        "private_key",
        "accessKey",
        "Authorization",
        "cookie",
        "SIGNING-KEY",
        "refresh_token",
    ],
)
def test_redact_masks_text_under_names_of_secrets(name: str) -> None:
    assert redact({name: "plain words"}) == {name: MASK}
    assert redact({"deep": [{name: ["plain words"]}]}) == {"deep": [{name: [MASK]}]}


@pytest.mark.parametrize(
    "name",
    [
        "inputTokens",
        "outputTokens",
        "totalTokens",
        "contextTokens",
        "totalTokensFresh",
        "tokensBefore",
        "sessionKey",
        "mainKey",
        "keyboard",
        "monkey",
        "secretary",
        "tokenizer",
    ],
)
def test_redact_shows_counts_and_ordinary_names(name: str) -> None:
    assert redact({name: 1234}) == {name: 1234}
    assert redact({name: "agent:main:main"}) == {name: "agent:main:main"}


def test_redact_shows_the_keys_and_ids_of_sessions() -> None:
    shown = {
        "sessionId": "4727ef90-abc6-44d7-90b6-0144e2ba0665",
        "sessionKey": "agent:main:matrix:channel:!AbCdEf:matrix.org:thread:$EventIdEventIdEventId",
        "model": "claude-sonnet-4-5-20250929",
        "url": "https://example.org/path?q=1",
        "totalTokens": 190_000,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }
    assert redact(shown) == shown


def test_redact_masks_secrets_that_are_field_names() -> None:
    secret = SECRETS[0]
    assert redact({secret: 1}) == {MASK: 1}


def test_redact_keeps_numbers_under_names_of_secrets() -> None:
    assert redact({"token": 5, "password": None, "apiKey": True}) == {
        "token": 5,
        "password": None,
        "apiKey": True,
    }


def test_redact_copies_and_leaves_its_argument_alone() -> None:
    value = {"a": [{"token": "x"}]}
    shown = redact(value)
    assert value == {"a": [{"token": "x"}]}
    assert shown["a"] is not value["a"]


@pytest.mark.parametrize(
    "text", [*SECRETS, "token=hunter2222", "--password hunter2222", 'x "api_key": "hunter2222"']
)
def test_redact_leaves_what_is_masked_as_it_is(text: str) -> None:
    shown = redact({"note": f"see {text} and {text}", "botToken": text})
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 200_000, "sk-" * 60_000, "eyJ" * 60_000, "1234567890:" * 20_000),
        *("-eyJaaaaaaaa" * 60_000, "eyJ-" * 60_000 + ".aaaaaaaaa.", "1_" * 1_000_000),
    ],
)
@pytest.mark.timeout(10)
def test_redact_is_quick_on_hostile_text(text: str) -> None:
    redact({"text": text})


# What a hint, a boundary or a length could be mistaken about.
_PIECES = st.one_of(
    st.sampled_from(
        [
            *("sk-", "ghp_", "xoxb-", "xapp-", "AKIA", "eyJ", ":AA", "syt_", "syt_a_b_c", "SG."),
            *("://", "@", "u:p@", "/api/webhooks/", "hooks.slack.com/services/", "%3A", "%2D"),
            *("token", "Token", "apiKey", "api_key", "pass", "word", "secret", "Bearer ", "basic "),
            *("--", "--token ", "=", ": ", ":", '"', "-", "_", ".", " ", "/", "é", "K", "12345678"),
            *("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "aabbccdd-4b5a-6978-8796-a5b4c3d2e1f0"),
            *("1234567890123456789", "abcdefghij", "Zz9", "-----BEGIN PRIVATE KEY-----"),
        ]
    ),
    st.text(alphabet="aAkKsS019-_.:/ ", max_size=12),
)


@settings(max_examples=1_500, deadline=None)
@given(st.lists(_PIECES, max_size=8).map("".join))
def test_no_text_is_taken_for_plain_that_holds_something_masked(text: str) -> None:
    if redaction._is_plain(text):
        assert redaction._masked(text) == text


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:12])
def test_no_known_form_of_a_key_is_taken_for_plain(secret: str) -> None:
    for text in (secret, f"a {secret}", f"x:{secret.lower()}"):
        assert not redaction._is_plain(text)


@pytest.mark.parametrize("colour", ["\x1b[31m", "\x1b[1;38;5;9m", "\x1b[0K"])
def test_a_colour_before_a_key_does_not_hide_it(colour: str) -> None:
    key = "sk-ant-" + "api03-" + "x" * 40
    assert redact(f"token {colour}{key}\x1b[0m.") == f"token {MASK}."
    assert redact(f"{colour}nothing{colour}") == f"{colour}nothing{colour}"
    assert "hunter2222" not in redact(f"password={colour}hunter2222")
