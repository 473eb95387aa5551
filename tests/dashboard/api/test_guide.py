"""What docs/api.md says is so: its commands run as they stand against a console that listens."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dashboard.api import bodies, limits
from dashboard.api.kinds import KINDS
from sessionstore.store import Store

from .conftest import KEY, Program, ref_of

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()


@pytest.fixture
def written(store: Store, operator: Program, ada: str) -> int:
    """A change that can be taken back."""
    saved = operator.post(
        f"{ada}/set-field",
        {"name": "sendPolicy", "value": "deny"},
        if_match=operator.get(ada)["ETag"],
    ).json()
    return int(saved["change_id"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.django_db(transaction=True)
def test_the_commands_run_as_they_stand(
    live_server: Any, store: Store, store_id: str, operator: Program, written: int, tmp_path: Path
) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    commands = "\n".join(block for block in blocks if "export CONSOLE" not in block)
    names = {
        "CONSOLE": live_server.url,
        "TOKEN": operator.token,
        "STORE": store_id,
        "KEY": KEY,
        "REF": ref_of(KEY),
        "CHANGE": str(written),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **names},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n304\n" in done.stdout
    assert json.loads((tmp_path / "openapi.json").read_text())["openapi"].startswith("3.1")
    entry = store.get(KEY) or {}
    assert entry["label"] == "Ada Lovelace"
    assert entry["archivedAt"]
    assert "category" not in entry
    assert "sendPolicy" not in entry


@pytest.mark.django_db
def test_the_example_of_a_problem_is_one(operator: Program, ada: str, store: Store) -> None:
    [example] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    store.patch(KEY, {"label": "Ada K."})
    real = operator.patch(ada, {"fields": {"label": "Ada L."}, "opened": {"label": "Ada"}}).json()
    told = json.loads(example)
    for member in ("request_id", "etag"):
        assert len(told.pop(member)) == len(real.pop(member))
    assert told == real


def test_every_code_and_limit_is_in_the_guide() -> None:
    assert {code for code in KINDS if f"`{code}`" not in GUIDE} == set()
    assert f"{limits.REQUESTS} requests a minute, {limits.CHANGES} of them" in GUIDE
    assert f"more than {bodies.DEEPEST} levels" in GUIDE
