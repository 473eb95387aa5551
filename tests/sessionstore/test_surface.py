"""The public surface: the names of DESIGN §5, documented, and independent of Django."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sessionstore
from sessionstore import Store, aio, discover, open_store
from sessionstore.aio import AsyncStore
from sessionstore.entries import NORMALISED_FIELDS

REPOSITORY = Path(__file__).resolve().parents[2]

KEYWORDS = {
    "get": (),
    "updated_at": (),
    "keys": (),
    "load": (),
    "problems": (),
    "update": ("create", "if_match", "timeout", "durability"),
    "patch": ("create", "if_match", "timeout", "durability"),
    "put": ("create", "if_match", "timeout", "durability"),
    "get_or_create": (),
    "delete": ("if_match",),
    "reset": ("session_id", "if_match"),
    "history": (),
    "update_last_route": ("channel", "to", "account_id", "thread_id", "delivery_context"),
    "update_all": (),
    "save": ("base",),
    "etag": (),
}
NAMES = {"open_store", "Store", "discover", "held_locks", "HeldLock", "Waiter", "StorePaths"}
NAMES |= {"Finding", "SessionStoreError", "Recorder", "Incarnation"}
NAMES |= {"InvalidKeyError", "InvalidEntryError", "EntryNotFoundError", "ConflictError"}
NAMES |= {"StalePlanError", "CorruptEntryError", "CorruptStoreError", "UnsafeFileError"}
NAMES |= {"UnsupportedStoreError", "GatewayRunningError", "StoreIOError", "LockTimeoutError"}
NAMES |= {"LockReentryError"}
NAMES |= {"versions", "undo", "Version", "Keeper", "merge", "merging", "edits_between"}
NAMES |= {"FieldEdit", "Overlap", "OverlapError", "ABSENT"}
NAMES |= {"stats", "StoreStats", "check"}
NAMES |= {"plan_maintenance", "MaintenancePlan", "MaintenancePolicy", "MaintenanceReport"}
NAMES |= {"maintain", "take_back", "expire_runs", "policy_of"}
NAMES |= {"create_backup", "list_backups", "verify_backup", "Backup", "Verification"}


def test_public_names_are_those_of_the_design() -> None:
    assert set(sessionstore.__all__) >= NAMES
    assert all(hasattr(sessionstore, name) for name in sessionstore.__all__)
    assert sorted(sessionstore.__all__) == list(sessionstore.__all__)


def parameters(call: object) -> dict[str, inspect.Parameter]:
    assert callable(call)
    return dict(inspect.signature(call).parameters)


@pytest.mark.parametrize("name", KEYWORDS)
@pytest.mark.parametrize("owner", [Store, AsyncStore])
def test_method_takes_its_options_by_keyword_only(owner: type, name: str) -> None:
    found = parameters(getattr(owner, name))
    for keyword in KEYWORDS[name]:
        assert found[keyword].kind is inspect.Parameter.KEYWORD_ONLY
    positional = [one for one in found.values() if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) <= 3


@pytest.mark.parametrize("name", KEYWORDS)
def test_twin_method_has_the_same_parameters_and_is_a_coroutine(name: str) -> None:
    ours, theirs = parameters(getattr(Store, name)), parameters(getattr(AsyncStore, name))
    assert [(one.name, one.kind, one.default) for one in ours.values()] == [
        (one.name, one.kind, one.default) for one in theirs.values()
    ]
    assert inspect.iscoroutinefunction(getattr(AsyncStore, name))


def test_both_openers_take_the_same_options() -> None:
    assert parameters(open_store).keys() == parameters(aio.open_store).keys()
    assert not inspect.iscoroutinefunction(aio.open_store)
    wanted = {"recorder", "durability", "timeout", "max_entry_bytes", "gateway_lock_dir"}
    assert parameters(open_store).keys() >= wanted
    assert parameters(discover).keys() == {"state_dir", "store_template"}


def test_functions_on_a_store_are_methods_of_the_twin() -> None:
    for call in (sessionstore.versions, sessionstore.undo, sessionstore.stats):
        ours = list(parameters(call).values())[1:]
        theirs = list(parameters(getattr(AsyncStore, call.__name__)).values())[1:]
        assert [(one.name, one.kind, one.default) for one in ours] == [
            (one.name, one.kind, one.default) for one in theirs
        ]
        assert inspect.iscoroutinefunction(getattr(AsyncStore, call.__name__))


def public_callables() -> dict[str, object]:
    found: dict[str, object] = {}
    for module in (sessionstore, aio):
        for name in getattr(module, "__all__", ["open_store", "AsyncStore"]):
            found[f"{module.__name__}.{name}"] = getattr(module, name)
    for owner in (Store, AsyncStore):
        for name, member in vars(owner).items():
            if not name.startswith("_"):
                found[f"{owner.__name__}.{name}"] = member
    return found


PUBLIC = public_callables()


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(PUBLIC[name])


def run_python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_importing_the_store_imports_no_django() -> None:
    code = """
import sys, json, pkgutil, importlib, sessionstore
for module in pkgutil.walk_packages(sessionstore.__path__, "sessionstore."):
    importlib.import_module(module.name)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    imported = set(json.loads(run_python(code)))
    assert imported.isdisjoint({"django", "dashboard", "gunicorn", "whitenoise"})


def test_store_reads_no_environment_variable(tmp_path: Path) -> None:
    code = f"""
import os, sessionstore
class Refuses(dict):
    def __getitem__(self, name): raise SystemExit(f"reads {{name}}")
    get = __getitem__
os.environ = Refuses()
with sessionstore.open_store({str(tmp_path / "sessions.json")!r}) as store:
    store.put("a", {{}}); store.patch("a", {{"n": 1}}); store.get("a"); store.load()
print("done")
"""
    assert run_python(code) == "done\n"


def test_normalised_fields_are_listed() -> None:
    assert {"lastChannel", "deliveryContext", "provider", "model"} <= NORMALISED_FIELDS


def test_recorder_hears_of_every_update(tmp_path: Path) -> None:
    heard: list[tuple[str, str, int]] = []

    class Listener:
        def record(
            self,
            operation: str,
            outcome: str,
            wait_ns: int,
            hold_ns: int,
            write_ns: int,
            written_bytes: int,
            contended: bool,
        ) -> None:
            assert min(wait_ns, hold_ns, write_ns, written_bytes) >= 0
            assert contended is False
            heard.append((operation, outcome, written_bytes))

    with open_store(tmp_path / "sessions.json", recorder=Listener()) as store:
        store.put("a", {"n": 1})
        store.patch("a", {"n": 1})
        store.delete("a")
        with pytest.raises(KeyError):
            store.patch("a", {"n": 2}, create=False)
    outcomes = [(operation, outcome) for operation, outcome, _ in heard]
    assert outcomes == [
        ("put", "written"),
        ("patch", "unchanged"),
        ("delete", "removed"),
        ("patch", "failed"),
    ]
    assert heard[0][2] > 0
