"""Keys, by example: folding, validation, ordinary names (layout-variants §7.1, format §2.2)."""

from __future__ import annotations

import hashlib

import pytest

from sessionstore import InvalidKeyError
from sessionstore.keys import (
    check_key,
    file_name,
    fold,
    is_ordinary,
    key_from_name,
    lock_offset,
)
from tests.sessionstore.helpers import old_name, side_name


@pytest.mark.parametrize(
    ("key", "folded"),
    [
        ("Agent:Main:MAIN", "agent:main:main"),
        ("  agent:main:main\t\n", "agent:main:main"),
        ("\ufeffagent:main:main\u2003\u00a0\u2028", "agent:main:main"),
        ("ÄÖÜ", "äöü"),
        ("agent:a:b:c", "agent:a:b:c"),
        ("agent::a", "agent::a"),
        ("+49 170/1234", "+49 170/1234"),
        ("__proto__", "__proto__"),
    ],
)
def test_fold_trims_and_lowercases(key: str, folded: str) -> None:
    assert fold(key) == folded


@pytest.mark.parametrize("char", ["\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\u200b", "\u180e"])
def test_fold_keeps_what_ecmascript_does_not_trim(char: str) -> None:
    assert fold(f"{char}main{char}") == f"{char}main{char}"


@pytest.mark.parametrize(
    ("key", "folded"),
    [
        (
            "Agent:Main:SIGNAL:Group:AbC+/dEf==",
            "agent:main:signal:group:AbC+/dEf==",
        ),
        (
            "agent:main:signal:group:AbCd:Thread:XyZ",
            "agent:main:signal:group:AbCd:thread:xyz",
        ),
        ("signal:group:AbC", "signal:group:AbC"),
        ("agent:main:Signal:Direct:AbC", "agent:main:signal:direct:abc"),
        ("agent:main:xsignal:group:AbC", "agent:main:xsignal:group:abc"),
    ],
)
def test_fold_keeps_case_of_signal_group_ids(key: str, folded: str) -> None:
    assert fold(key) == folded


@pytest.mark.parametrize(
    ("key", "folded"),
    [
        (
            "Agent:Main:Matrix:Channel:!AbC:Matrix.ORG",
            "agent:main:matrix:channel:!AbC:Matrix.ORG",
        ),
        ("AGENT:main:matrix:GROUP:!RoomId:Host", "agent:main:matrix:group:!RoomId:Host"),
        ("Matrix:Channel:!RoomId:Host", "matrix:channel:!RoomId:Host"),
        (
            "agent:main:matrix:channel:!Room:Host:THREAD:$EventID",
            "agent:main:matrix:channel:!Room:Host:thread:$EventID",
        ),
        (
            "agent:main:matrix:channel:!A:thread:B:thread:C",
            "agent:main:matrix:channel:!A:thread:B:thread:C",
        ),
        ("agent:main:matrix:direct:@User:Host", "agent:main:matrix:direct:@user:host"),
        ("agent:main:slack:channel:Matrix:Channel:X", "agent:main:slack:channel:matrix:channel:x"),
    ],
)
def test_fold_keeps_case_of_matrix_rooms_and_threads(key: str, folded: str) -> None:
    assert fold(key) == folded


@pytest.mark.parametrize(
    "key", ["", " ", "\ufeff", "\t\n", "a\0b", "\0", "a\ud800", "\udfff", "a" * 4097, "é" * 2049]
)
def test_check_key_refuses_what_cannot_be_a_key(key: str) -> None:
    with pytest.raises(InvalidKeyError) as caught:
        check_key(key)
    assert caught.value.hint


@pytest.mark.parametrize("key", [None, 5, b"agent:main:main", ["a"], 1.5, True])
def test_check_key_refuses_what_is_no_text(key: object) -> None:
    with pytest.raises(InvalidKeyError):
        check_key(key)


@pytest.mark.parametrize("key", ["a" * 4096, " " * 50 + "a" * 4096, "é" * 2048, "😀" * 1024])
def test_check_key_counts_bytes_after_folding(key: str) -> None:
    assert check_key(key) == key.strip()


ORDINARY = [
    "main",
    "agent:main:main",
    "agent:main:telegram:group:-100123:topic:7",
    "agent:main:whatsapp:direct:+49170123",
    "agent:main:a/b\\c",
    "100%",
    "a%3ab",
    "user@host.example",
    "a b",
    "!room#x$y&z'(q),;=[k]^`{m}~_-",
    "state",
    "x",
    "a.b.c",
    "console",
    "com10",
    "xcon",
]
AWKWARD = [
    ".hidden",
    ".",
    "..",
    "...",
    ".json",
    ".store.json",
    "trailing.",
    "__proto__",
    "prototype",
    "constructor",
    *'<>"|?*',
    "a\x01b",
    "a\x7fb",
    "a\nb",
    "naïve",
    "日本",
    "😀",
    "agent:main:signal:group:AbC",
    "con",
    "nul",
    "aux.session",
    "com1",
    "lpt9.x.y",
    "prn",
    "a" * 136,
    ":" * 46,
]


@pytest.mark.parametrize("key", ORDINARY)
def test_ordinary_key_gets_the_name_that_42186_reads(key: str) -> None:
    assert is_ordinary(key)
    assert file_name(key) == old_name(key)


@pytest.mark.parametrize("key", AWKWARD)
def test_awkward_key_gets_a_digest_name_in_the_side_area(key: str) -> None:
    assert not is_ordinary(key)
    assert file_name(key) == side_name(key)


def test_inline_name_has_at_most_140_bytes() -> None:
    assert file_name("a" * 135) == "a" * 135 + ".json"
    assert file_name("a" * 136) == side_name("a" * 136)
    assert file_name(":" * 45) == "%3A" * 45 + ".json"


@pytest.mark.parametrize("key", ["__class__", "__dict__"])
def test_python_attribute_names_are_ordinary_data(key: str) -> None:
    assert key_from_name(file_name(key)) == key


@pytest.mark.parametrize("key", ORDINARY)
def test_key_from_name_inverts_file_name(key: str) -> None:
    assert key_from_name(file_name(key)) == key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (".hidden.json", ".hidden"),
        ("..json", "."),
        ("Foo.json", "Foo"),
        ("naïve.json", "naïve"),
        ("a" * 250 + ".json", "a" * 250),
        ("con.json", "con"),
        ("a?.json", "a?"),
        ("agent%3Amain%253Ax.json", "agent:main%3Ax"),
    ],
)
def test_key_from_name_reads_wider_than_it_writes(name: str, key: str) -> None:
    assert key_from_name(name) == key


@pytest.mark.parametrize(
    "name",
    [
        ".json",
        ".store.json",
        "a",
        "a.txt",
        "a.json.tmp",
        "a:b.json",
        "a%3ab.json",
        "a%.json",
        "a%20b.json",
        "a%2fb.json",
        "a" * 251 + ".json",
        "é" * 126 + ".json",
        "a\udcff.json",
        "x",
        "",
    ],
)
def test_key_from_name_refuses_names_that_do_not_encode_back(name: str) -> None:
    assert key_from_name(name) is None


def test_lock_offset_is_the_first_62_bits_of_the_digest() -> None:
    digest = hashlib.sha256(b"agent:main:main").digest()
    assert lock_offset("agent:main:main") == (int.from_bytes(digest[:8], "big") >> 2) + 1


def test_invalid_key_error_names_a_shortened_key() -> None:
    with pytest.raises(InvalidKeyError) as caught:
        check_key("k" * 100_000)
    assert len(str(caught.value)) < 400
    assert caught.value.key is not None
    assert len(caught.value.key) <= 200
