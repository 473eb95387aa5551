"""Archives that somebody made to harm: each is refused with its name, and nothing is written."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from sessionstore import UnsupportedStoreError
from sessionstore.backup import open_archive, untrusted
from sessionstore.backup.archive import END, header, padding
from sessionstore.backup.packing import GzipPacker, ZstdPacker, has_zstd
from sessionstore.errors import DamagedBackupError, SessionStoreError, UnsafeBackupError
from tests.sessionstore.helpers import picture

KEY = "agent:main:a"
NAME = "sessions/agent%3Amain%3Aa.json"
BODY = b'{"a": 1}'
ID = "20260102T030405Z-abcdef"


def told(data: bytes, **fields: Any) -> dict[str, Any]:
    """What a manifest says of a member."""
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **fields}


def manifest(**changes: Any) -> dict[str, Any]:
    """A sound manifest of one session, with changes."""
    return {
        "kind": "sessionstore-backup",
        "format": 1,
        "id": ID,
        "store": "/a/sessions.json",
        "layout": "directory",
        "agent": "main",
        "scope": "store",
        "reason": "",
        "by": "",
        "created": 1,
        "with_transcripts": False,
        "sources": [],
        "sessions": [told(BODY, key=KEY, name=NAME, etag="e")],
        "damaged": [],
        "transcripts": [],
        **changes,
    }


def member(name: str, data: bytes) -> bytes:
    """A plain member, as our own writer makes it."""
    return header(name, len(data)) + data + padding(len(data))


def foreign(data: bytes = b"", form: Literal[0, 1, 2] = tarfile.GNU_FORMAT, **fields: Any) -> bytes:
    """A member as any other tar program may make it."""
    info = tarfile.TarInfo()
    info.size = len(data)
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf(form, "utf-8", "surrogateescape") + data + padding(len(data))


Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a maker of archives: (what the manifest says, *raw tar bytes after it)."""

    def make(said: object, *parts: bytes, tail: bytes = END) -> Path:
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        packer = GzipPacker()
        packed = packer.add(member("manifest.json", data)) + packer.end()
        rest = GzipPacker()
        packed += rest.add(b"".join(parts) + tail) + rest.end()
        return written(tmp_path, packed)

    return make


def written(tmp_path: Path, packed: bytes) -> Path:
    path = tmp_path / "archives" / f"{ID}.tar.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(packed)
    return path


def read_all(path: Path) -> list[Any]:
    """Everything a restore or a verification would read."""
    with open_archive(path) as archive:
        return [one.problem for one in archive.walk()]


def test_sound_archive_is_read(make: Make) -> None:
    """The control: what the others change is what they are refused for."""
    path = make(manifest(), member(NAME, BODY))
    assert read_all(path) == [None]
    with open_archive(path) as archive:
        assert archive.entry(KEY) == BODY


OTHER = {
    "absolute name": (foreign(BODY, name="/etc/cron.d/x"), "absolute"),
    "climbing name": (foreign(BODY, name="sessions/../../x"), "leads out"),
    "windows name": (foreign(BODY, name="..\\..\\x"), "leads out"),
    "symbolic link": (
        foreign(name=NAME, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "symbolic link",
    ),
    "hard link": (foreign(name=NAME, type=tarfile.LNKTYPE, linkname="/etc/passwd"), "hard link"),
    "device": (foreign(name=NAME, type=tarfile.CHRTYPE, devmajor=1, devminor=5), "device"),
    "block device": (foreign(name=NAME, type=tarfile.BLKTYPE), "device"),
    "fifo": (foreign(name=NAME, type=tarfile.FIFOTYPE), "FIFO"),
    "directory": (foreign(name=NAME, type=tarfile.DIRTYPE), "directory"),
    "pax header": (
        foreign(BODY, name=NAME, pax_headers={"path": "../x"}, form=tarfile.PAX_FORMAT),
        "PAX",
    ),
    "global pax header": (foreign(b"20 path=/etc/passwd\n", name="g", type=b"g"), "PAX"),
    "long name": (foreign(BODY, name="sessions/" + "n" * 300), "GNU"),
    "long link": (foreign(name="a", type=tarfile.SYMTYPE, linkname="n" * 300), "GNU"),
    "sparse file": (foreign(BODY, name=NAME, type=tarfile.GNUTYPE_SPARSE), "sparse"),
    "unknown type": (foreign(BODY, name=NAME, type=b"Z"), "unknown type"),
    "setuid": (foreign(BODY, name=NAME, mode=0o4777), "does not write"),
    "another owner": (foreign(BODY, name=NAME, uid=7, uname="root"), "does not write"),
    "unlisted member": (member("sessions/b.json", BODY), "not in its manifest"),
    "other size": (member(NAME, BODY + b" "), "bytes"),
}


@pytest.mark.parametrize("what", OTHER)
def test_member_that_no_backup_has_is_refused_with_its_name(
    make: Make, tmp_path: Path, what: str
) -> None:
    raw, why = OTHER[what]
    path = make(manifest(), raw, member(NAME, BODY))
    before = picture(tmp_path)
    with pytest.raises(UnsafeBackupError, match="refused") as caught:
        read_all(path)
    assert why in caught.value.message
    assert picture(tmp_path) == before


def test_same_member_twice_is_refused(make: Make) -> None:
    with pytest.raises(UnsafeBackupError):
        read_all(make(manifest(), member(NAME, BODY), member(NAME, BODY)))
    other = told(BODY, key="agent:main:b", name="sessions/agent%3Amain%3Ab.json", etag="e")
    said = manifest(sessions=[manifest()["sessions"][0], other])
    with pytest.raises(UnsafeBackupError, match="twice"):
        read_all(make(said, member(NAME, BODY), member(NAME, BODY)))


def test_member_behind_the_end_is_refused(make: Make) -> None:
    with pytest.raises(UnsafeBackupError, match="after its end"):
        read_all(make(manifest(), member(NAME, BODY), tail=END + member("x", b"")))


def test_missing_member_is_damage(make: Make) -> None:
    [problem] = read_all(make(manifest()))
    assert "end" in problem.message


def test_archive_without_an_end_is_damage(make: Make) -> None:
    with pytest.raises(SessionStoreError):
        read_all(make(manifest(), member(NAME, BODY), tail=b""))


def test_wrong_digest_is_found_and_the_entry_not_given(make: Make) -> None:
    path = make(manifest(), member(NAME, BODY.replace(b"1", b"2")))
    [problem] = read_all(path)
    assert "sha256" in problem.message
    assert NAME in problem.message
    with open_archive(path) as archive, pytest.raises(DamagedBackupError):
        archive.entry(KEY)


def test_nonzero_padding_is_damage(make: Make) -> None:
    raw = (
        header(NAME, len(BODY)) + BODY + b"\0" * 100 + b"hidden" + bytes(512 - 100 - 6 - len(BODY))
    )
    assert read_all(make(manifest(), raw))[0] is not None


def session(**changes: Any) -> dict[str, Any]:
    return {**manifest()["sessions"][0], **changes}


def transcript(name: str, **changes: Any) -> dict[str, Any]:
    return told(b"", name=name, member=f"transcripts/{name}", **changes)


BAD_MANIFESTS: dict[str, Any] = {
    "no json": b"{",
    "not utf-8": b'{"kind": "\xff"}',
    "an array": b"[]",
    "deep": b"[" * 100_000,
    "another kind": manifest(kind="another"),
    "no id": manifest(id="../../x"),
    "unknown layout": manifest(layout="sqlite"),
    "name that climbs": manifest(sessions=[session(name="sessions/../../x")]),
    "absolute name": manifest(sessions=[session(name="/etc/passwd")]),
    "name in another folder": manifest(sessions=[session(name="damaged/agent%3Amain%3Aa.json")]),
    "name of another key": manifest(sessions=[session(key="agent:main:b")]),
    "name with a newline": manifest(sessions=[session(name="sessions/a\n.json")]),
    "name too long": manifest(sessions=[session(name="sessions/" + "n" * 200)]),
    "key not folded": manifest(sessions=[session(key="Agent:Main:A")]),
    "key with a NUL": manifest(sessions=[session(key="a\0")]),
    "key too long": manifest(sessions=[session(key="k" * 5000)]),
    "blank key": manifest(sessions=[session(key=" ")]),
    "key twice": manifest(sessions=[session(), session()]),
    "negative size": manifest(sessions=[session(size=-1)]),
    "absurd size": manifest(sessions=[session(size=1 << 70)]),
    "size that no header can say": manifest(sessions=[session(size=1 << 33)]),
    "no digest": manifest(sessions=[session(sha256="z" * 64)]),
    "transcript that climbs": manifest(transcripts=[transcript("../x.jsonl")]),
    "transcript with a slash": manifest(transcripts=[transcript("a/x.jsonl")]),
    "transcript that is none": manifest(transcripts=[transcript("sessions.json")]),
    "transcript's other member": manifest(
        transcripts=[told(b"", name="a.jsonl", member="transcripts/b.jsonl")]
    ),
    "transcript twice": manifest(transcripts=[transcript("a.jsonl"), transcript("a.jsonl")]),
    "source elsewhere": manifest(sources=[told(b"", name="sessions/x.json")]),
    "dot as a name": manifest(sources=[told(b"", name="source/..")]),
    "missing list": {name: value for name, value in manifest().items() if name != "damaged"},
}


@pytest.mark.parametrize("what", BAD_MANIFESTS)
def test_wrong_manifest_is_refused(make: Make, tmp_path: Path, what: str) -> None:
    path = make(BAD_MANIFESTS[what], member(NAME, BODY))
    before = picture(tmp_path)
    with pytest.raises(UnsafeBackupError) as caught:
        read_all(path)
    assert caught.value.path == str(path)
    assert caught.value.hint
    assert picture(tmp_path) == before


def test_later_format_is_named(make: Make) -> None:
    with pytest.raises(UnsupportedStoreError, match="format 7"):
        read_all(make(manifest(format=7)))


def test_archive_without_a_manifest_in_front_is_refused(tmp_path: Path) -> None:
    packer = GzipPacker()
    packed = packer.add(member(NAME, BODY) + END) + packer.end()
    with pytest.raises(UnsafeBackupError, match=r"manifest\.json"):
        read_all(written(tmp_path, packed))


@pytest.mark.parametrize("packed", [b"", b"\0" * 5000, b"PK\x03\x04" + bytes(100), b"\x1f\x8b"])
def test_file_that_is_no_archive_is_damage(tmp_path: Path, packed: bytes) -> None:
    with pytest.raises(DamagedBackupError):
        read_all(written(tmp_path, packed))


def test_file_of_another_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(b"")
    with pytest.raises(UnsafeBackupError, match="neither"):
        open_archive(path)


def test_link_in_place_of_an_archive_is_not_followed(make: Make, tmp_path: Path) -> None:
    path = make(manifest(), member(NAME, BODY))
    link = tmp_path / f"{ID}.tar.gz"
    link.symlink_to(path)
    with pytest.raises(SessionStoreError):
        open_archive(link)


# -- bombs ---------------------------------------------------------------------------------


def peak_of(call: Callable[[], object]) -> int:
    """Bytes that Python held at most while it ran."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(path: Path) -> None:
    with pytest.raises(SessionStoreError):
        read_all(path)


def test_claim_of_ten_gigabytes_is_refused_before_it_is_unpacked(make: Make) -> None:
    claim = (1 << 33) - 1
    said = manifest(sessions=[session(size=claim)], damaged=[])
    path = make(said, header(NAME, claim) + bytes(1000))
    with pytest.raises(UnsafeBackupError, match=r"claims to hold 8,589,9"):
        read_all(path)


def test_bomb_by_ratio_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    size = 80 << 20
    said = json.dumps(manifest(sessions=[session(size=size)])).encode()
    packer = GzipPacker()
    packed = packer.add(member("manifest.json", said)) + packer.end()
    packer = GzipPacker(level=9)
    packed += packer.add(header(NAME, size))
    for _ in range(80):
        packed += packer.add(bytes(1 << 20))
    packed += packer.end()
    assert len(packed) < size // 500
    path = written(tmp_path, packed)
    assert peak_of(lambda: refused(path)) < 4 << 20


def test_bomb_in_front_of_the_manifest_takes_no_memory(tmp_path: Path) -> None:
    packer = GzipPacker()
    packed = packer.add(header("manifest.json", 200 << 20))
    for _ in range(200):
        packed += packer.add(bytes(1 << 20))
    path = written(tmp_path, packed + packer.end())
    assert peak_of(lambda: refused(path)) < 4 << 20


def test_long_name_bomb_takes_no_memory(make: Make) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 60 << 20
    raw = info.tobuf(tarfile.GNU_FORMAT) + b"n" * info.size
    path = make(manifest(), raw)
    assert peak_of(lambda: refused(path)) < 4 << 20


def test_data_behind_a_piece_that_never_ends_takes_no_memory(tmp_path: Path) -> None:
    """A deflate stream whose content is far larger than what the tar in it says."""
    said = json.dumps(manifest()).encode()
    packer = GzipPacker()
    packed = packer.add(member("manifest.json", said)) + packer.end()
    packer = GzipPacker(level=9)
    packed += packer.add(member(NAME, BODY) + END)
    for _ in range(60):
        packed += packer.add(bytes(1 << 20))
    path = written(tmp_path, packed + packer.end())
    assert peak_of(lambda: refused(path)) < 4 << 20


def test_bomb_by_count_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "MAX_MEMBERS", 50)
    rows = [told(b"", key=f"k{n}", name=f"sessions/k{n}.json", etag="") for n in range(51)]
    with pytest.raises(UnsafeBackupError, match="more than 50 members"):
        read_all(make(manifest(sessions=rows)))


def test_reader_writes_nothing_and_leaves_no_descriptor(make: Make, tmp_path: Path) -> None:
    fds = len(list(Path("/proc/self/fd").iterdir()))
    for what in ("symbolic link", "climbing name", "long name"):
        refused(make(manifest(), OTHER[what][0]))
    for bad in ("no json", "key twice"):
        refused(make(BAD_MANIFESTS[bad]))
    assert len(list(Path("/proc/self/fd").iterdir())) == fds
    assert {path.name for path in tmp_path.rglob("*")} == {"archives", f"{ID}.tar.gz"}


def test_gzip_with_a_name_or_a_time_in_it_is_not_ours(tmp_path: Path) -> None:
    raw = member("manifest.json", json.dumps(manifest()).encode()) + member(NAME, BODY) + END
    buffer = io.BytesIO()
    with gzip.GzipFile("x", "wb", fileobj=buffer, mtime=5) as file:
        file.write(raw)
    with pytest.raises(DamagedBackupError, match="begin no piece"):
        read_all(written(tmp_path, buffer.getvalue()))


def test_wrapped_member_of_another_key_is_damage(make: Make) -> None:
    key = ".odd"
    name = f"sessions/x/{hashlib.sha256(key.encode()).hexdigest()}.json"
    body = json.dumps({"sessionKey": "another", "entry": {"a": 1}}).encode()
    said = manifest(sessions=[told(body, key=key, name=name, etag="")])
    with open_archive(make(said, member(name, body))) as archive:
        [read] = archive.entries()
        assert read.data is None
        assert read.problem is not None


def test_headers_are_those_that_tar_programs_read() -> None:
    for name, size in (("manifest.json", 0), ("sessions/" + "a" * 90, 5), (NAME, (1 << 33) - 1)):
        info = tarfile.TarInfo.frombuf(header(name, size), "ascii", "strict")
        assert (info.name, info.size, info.mode, info.isreg()) == (name, size, 0o600, True)
    for name, size in (("a/" + "n" * 101, 0), ("a", 1 << 33)):
        with pytest.raises(ValueError, match="plain header"):
            header(name, size)


@pytest.mark.skipif(not has_zstd(), reason="no zstd: pip install zstandard")
def test_zstd_bomb_takes_no_memory_and_turned_bits_are_found(tmp_path: Path) -> None:
    said = member("manifest.json", json.dumps(manifest()).encode())
    packer = ZstdPacker()
    packed = packer.add(said) + packer.end()
    packer = ZstdPacker()
    sound = packed + packer.add(member(NAME, BODY) + END) + packer.end()
    packer = ZstdPacker()
    bomb = packed + packer.add(member(NAME, BODY) + END)
    for _ in range(300):
        bomb += packer.add(bytes(1 << 20))
    path = tmp_path / f"{ID}.tar.zst"
    path.write_bytes(bomb + packer.end())
    assert path.stat().st_size < 1 << 20
    assert peak_of(lambda: refused(path)) < 8 << 20
    path.write_bytes(sound)
    assert read_all(path) == [None]
    for at in range(0, len(sound), 7):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 16]) + sound[at + 1 :])
        try:
            if read_all(path) == [None]:  # a bit that means nothing
                with open_archive(path) as archive:
                    assert archive.entry(KEY) == BODY
        except (DamagedBackupError, UnsafeBackupError):
            continue
