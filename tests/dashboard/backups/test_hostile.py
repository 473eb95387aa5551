"""Archives and sidecars that somebody made up: every page answers, nothing is believed."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.dashboard.backups.conftest import id_of, last_job, newest, run_jobs, taken

pytestmark = pytest.mark.django_db

ID = "20261129T194102Z-abcdef"


def tar_of(*names: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    """An archive of small members of these names and this type."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = 2 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"{}"))
    return held.getvalue()


ARCHIVES = {
    "empty": b"",
    "noise": b"\x1f\x8b" + bytes(range(256)),
    "text": b"<img src=x onerror=alert(1)>",
    "above": tar_of("manifest.json", "../../outside"),
    "absolute": tar_of("manifest.json", "/tmp/outside"),
    "link": tar_of("manifest.json", kind=tarfile.SYMTYPE),
    "device": tar_of("manifest.json", kind=tarfile.CHRTYPE),
    "twice": tar_of("manifest.json", "manifest.json"),
    "bomb": gzip.compress(b"\0" * 50_000_000),
}
NOTES: dict[str, Callable[[dict[str, Any]], object]] = {
    "not an object": lambda note: [1],
    "no backup": lambda note: {**note, "backup": None},
    "markup": lambda note: {**note, "backup": {**note["backup"], "reason": "<script>x</script>"}},
    "huge numbers": lambda note: {**note, "backup": {**note["backup"], "created_ms": 10**30}},
    "another id": lambda note: {**note, "backup": {**note["backup"], "id": "../../x"}},
}


def every_page(client: Client, backup_id: str) -> dict[str, int]:
    """The status of each page about a backup, and of each list that it is in."""
    paths = ["/", "/backups/", "/backups.json", "/backups.csv", "/backups/retention/?keep_last=1"]
    paths += [f"/backups/{backup_id}{end}" for end in ("/", ".json", ".csv")]
    paths.append(f"/stores/{id_of()}/recover/")
    found = {}
    for path in paths:
        answer = client.get(path)
        b"".join(answer)
        found[path] = answer.status_code
    answer = client.post(f"/backups/{backup_id}/compare/", {})
    return {**found, "compare": answer.status_code}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_made_up_archive_is_refused_by_name_on_every_page(
    admin_client: Client, store: Path, name: str
) -> None:
    folder = store / ".sessionstore" / "backups" / "main"
    folder.mkdir(parents=True)
    (folder / f"{ID}.tar.gz").write_bytes(ARCHIVES[name])
    assert set(every_page(admin_client, ID).values()) <= {200, 422}
    listed = json.loads(admin_client.get("/backups.json").content)["backups"]
    assert listed[0]["problem"]
    for act, fields in (
        ("verify", {"depth": "everything"}),
        ("verify", {"depth": "drill"}),
        ("place", {"name": "x", "reason": "To look"}),
    ):
        assert admin_client.post(f"/backups/{ID}/{act}/", fields).status_code == 302
        run_jobs()
        assert last_job().items.get().state == "failed"
    assert not (store.parent / "restored" / "x" / "sessions.json").exists()
    assert not (store.parent / "restored" / "x" / "sessions.d").exists()
    assert not (store / ".sessionstore" / "outside").exists()


@pytest.mark.parametrize("name", NOTES)
def test_a_made_up_sidecar_hides_no_page_and_no_other_backup(
    admin_client: Client, store: Path, name: str
) -> None:
    first, second = taken(admin_client), taken(admin_client)
    path = first.backup.path.with_name(f"{first.backup.id}.json")
    path.write_text(json.dumps(NOTES[name](json.loads(path.read_text()))))
    assert set(every_page(admin_client, first.backup.id).values()) <= {200, 302, 422}
    listed = json.loads(admin_client.get("/backups.json").content)["backups"]
    problems = {one["id"]: one["problem"] for one in listed}
    assert problems[first.backup.id]
    assert problems[second.backup.id] == ""
    assert "<script>x" not in admin_client.get("/backups/").content.decode()


def test_a_folder_that_is_a_link_is_not_followed(
    admin_client: Client, store: Path, tmp_path: Path
) -> None:
    kept = taken(admin_client)
    folder = kept.backup.path.parent
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    assert json.loads(admin_client.get("/backups.json").content)["backups"] == []


def test_two_backups_of_one_id_are_not_chosen_between(
    admin_client: Client, store: Path, tmp_path: Path
) -> None:
    kept = taken(admin_client)
    other = kept.backup.path.parent.parent / "work"
    other.mkdir()
    for one in kept.backup.path.parent.glob(f"{kept.backup.id}*"):
        (other / one.name).write_bytes(one.read_bytes())
    assert admin_client.get(f"/backups/{kept.backup.id}/").status_code == 409
    assert newest().backup.id == kept.backup.id
