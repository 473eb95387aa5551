"""Settings for tests: the console's own, in a directory that vanishes, with cheap passwords."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# What the person who runs the tests has configured must not reach them.
for _name in [name for name in os.environ if name.startswith(("SESSIONSTORE_", "OPENCLAW_"))]:
    del os.environ[_name]
_data_dir = tempfile.mkdtemp(prefix="sessionstore-tests-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
os.environ["SESSIONSTORE_DATA_DIR"] = _data_dir

from dashboard.settings import *  # noqa: F403
from dashboard.settings import DATABASES, MIDDLEWARE, STORAGES

STATE_DIR = None
# A busy machine is no slow disk: tests of that set their own.
PAGE_WAIT_S = 30
# Nor does it make live parts slow down: tests of that set their own, too.
BUDGET_PERCENT = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# A file, so that threads and child processes see the same database.
DATABASES["default"]["TEST"] = {"NAME": Path(_data_dir) / "test.sqlite3"}
if "postgresql" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["TEST"] = {"NAME": "test_sessionstore"}
DATABASES["default"]["CONN_MAX_AGE"] = 0

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
MIDDLEWARE = [name for name in MIDDLEWARE if "whitenoise" not in name]
