"""What the console keeps on disk is for its own user, however it came to be."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard.settings.files import private_directory

REPOSITORY = Path(__file__).resolve().parents[2]


def test_database_made_by_a_command_is_for_its_user_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    environment = {**os.environ, "SESSIONSTORE_DATA_DIR": str(data)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, str(REPOSITORY / "manage.py"), "migrate", "--verbosity", "0"]
    subprocess.run(command, env=environment, umask=0o022, check=True, timeout=120)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    assert modes["console.sqlite3"] == 0o600
    assert not [name for name, mode in modes.items() if mode & 0o077]


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_data_directory_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(mode)
    with pytest.raises(ImproperlyConfigured, match="writable by others"):
        private_directory(data, setting="SESSIONSTORE_DATA_DIR")


def test_data_directory_that_others_may_only_list_is_used(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    assert private_directory(data, setting="SESSIONSTORE_DATA_DIR") == data
