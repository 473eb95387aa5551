"""State directories that the real program wrote: what their README lists is found, no more."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sessionstore import open_store
from sessionstore.maintenance import examine, take

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "samples"
JSON_ERA = ["openclaw-2026.3.31", "openclaw-2026.6.11", "openclaw-2026.7.1-2"]

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"no sample state directories at {SAMPLES}"
)


def listed(sample: str, agent: str) -> tuple[int, int, int, int]:
    """Sessions, transcripts, archives and sessions without a transcript, by the README."""
    row = rf"^\| {re.escape(sample)} \| {agent} \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|"
    match = re.search(row, (SAMPLES / "README.md").read_text(), re.MULTILINE)
    assert match is not None
    sessions, transcripts, archives, without = map(int, match.groups())
    return sessions, transcripts, archives, without


@pytest.mark.parametrize("agent", ["main", "work"])
@pytest.mark.parametrize("sample", JSON_ERA)
def test_sample_has_what_its_readme_lists(tmp_path: Path, sample: str, agent: str) -> None:
    shutil.copytree(SAMPLES / sample, tmp_path / sample)
    for path in [tmp_path / sample, *(tmp_path / sample).rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    folder = tmp_path / sample / "agents" / agent / "sessions"
    with open_store(folder, report=False) as store:
        look = take(store)
    checked = examine(look)
    sessions, transcripts, archives, without = listed(sample, agent)
    kinds = [facts.kind for facts in look.files.values()]
    assert checked.entries == sessions
    assert kinds.count("transcript") == transcripts
    assert sum(kind.startswith("archive-") for kind in kinds) == archives
    worse = [one for one in checked.findings if one.severity != "info"]
    assert [one.rule for one in worse] == ["no-transcript"] * without
    assert {one.rule for one in checked.findings} <= {
        "no-transcript",
        "bad-session-file",  # the paths were rewritten to a made-up home
        "empty-transcript",  # the program had just reset or made these sessions
        "old-archive",
        "untouched",
    }
