"""Uses a console of its own: operators who save, and what was recorded. Prints JSON.

Run as a program: ``child.py people|operate|killed|again|restored|report ...``; see the functions.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
import pytest


def people(count: str) -> list[int]:
    """Make so many admins, who may change any field; their ids."""
    from django.contrib.auth.models import User

    from dashboard.roles import assign_role

    ids = []
    for number in range(int(count)):
        user = User.objects.create_user(f"op{number}")
        assign_role(user, "admin")
        ids.append(user.pk)
    return ids


def operate(start_file: str, operators: str, sessions: str, rounds: str) -> list[dict[str, Any]]:
    """Let operators, each in a thread, edit the sessions in turn; what came of each save.

    ``operators`` is JSON: [[number, user id], ...]. Each save counts a field of the operator's
    own up and takes a field that all of them and the writers want.
    """
    numbers: list[tuple[int, int]] = json.loads(operators)
    while not Path(start_file).exists():
        time.sleep(0.005)
    with ThreadPoolExecutor(len(numbers)) as pool:
        parts = pool.map(lambda one: _operator(one[0], one[1], int(sessions), int(rounds)), numbers)
        return [result for part in parts for result in part]


def _operator(number: int, user_id: int, sessions: int, rounds: int) -> list[dict[str, Any]]:
    from django.db import connection

    from dashboard.acting import Actor
    from dashboard.services.fleet import fleet

    actor = Actor(user_id, f"op{number}", "admin", request_id=f"request-{number}")
    reader = fleet().scan().readers[0]
    results = []
    try:
        for turn in range(rounds):
            key = f"agent:main:{(number + turn) % sessions}"
            results.append(_save(actor, reader, key, f"op{number}:{turn}"))
    finally:
        connection.close()
    return results


def _save(actor: Any, reader: Any, key: str, value: str) -> dict[str, Any]:
    from dashboard.services import changing
    from dashboard.services.change_problems import LockedError, OverlapError
    from sessionstore import ABSENT, FieldEdit, open_store

    own = f"count {actor.name}"
    with open_store(reader.paths) as store:
        seen = store.get(key) or {}
    time.sleep(0.003)  # a person looks at the form
    edits = [
        FieldEdit(own, seen.get(own, ABSENT), seen.get(own, 0) + 1),
        FieldEdit("category", seen.get("category", ABSENT), value),
    ]
    told = {"key": key, "operator": actor.name, "value": value, "saw": seen.get("category")}
    try:
        saved = changing.save(actor, reader.id, key, edits, any_field=True, wait_s=20)
    except OverlapError as error:
        return {**told, "refused": [overlap.name for overlap in error.overlaps]}
    except LockedError:
        return {**told, "refused": ["locked"]}
    return {**told, "change": saved.change_id, "version": saved.version_id}


MOMENTS = [
    "intent written",
    "version kept",
    "entry written",
    "version settled",
    "change inserted",
    "outcome inserted",
    "outcome written",
]


def killed() -> list[int]:
    """One save for each moment, in a process that is killed at it; how each of them ended.

    The n-th moment's session is ``agent:main:<n>``.
    """
    ended = []
    for number, moment in enumerate(MOMENTS):
        pid = os.fork()
        if pid == 0:
            _save_label(number, moment)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        ended.append(os.waitstatus_to_exitcode(status))
    return ended


def again() -> list[dict[str, Any]]:
    """The same saves once more, to their end."""
    told = []
    for number in range(len(MOMENTS)):
        saved = _save_label(number)
        told.append({"change": saved.change_id, "unchanged": saved.unchanged})
    return told


def restored() -> list[int | None]:
    """Bring the oldest version of each session back, as an operator does on its page."""
    from dashboard.services import changing
    from dashboard.services.fleet import fleet
    from sessionstore import open_store, versions

    reader = fleet().scan().readers[0]
    changes = []
    with open_store(reader.paths) as store:
        for number in range(len(MOMENTS)):
            key = f"agent:main:{number}"
            saved = changing.restore(
                _bob(),
                reader.id,
                key,
                versions(store, key)[-1].id,
                fields=["label"],
                opened_etag=store.etag(key) or "",
            )
            changes.append(saved.change_id)
    return changes


def _bob() -> Any:
    from dashboard.acting import Actor

    return Actor(None, "bob", "operator", request_id="request-1")


def _save_label(number: int, moment: str = "") -> Any:
    from dashboard.services import changing
    from dashboard.services.fleet import fleet
    from sessionstore import FieldEdit

    store_id = fleet().scan().readers[0].id
    edits = [FieldEdit("label", f"old {number}", f"new {number}")]
    with _dying_at(moment):
        return changing.save(_bob(), store_id, f"agent:main:{number}", edits)


@contextmanager
def _dying_at(moment: str) -> Iterator[None]:
    """Be killed right after this has happened."""
    from django.db import connection

    real, real_open, events = os.rename, os.open, itertools.count(1)

    def rename(source: Any, target: Any, **rest: Any) -> None:
        real(source, target, **rest)
        names = (str(source).endswith(".begun.json"), str(target).endswith(".begun.json"))
        happened = {(False, True): "version kept", (True, False): "version settled"}
        if happened.get(names, "entry written") == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = run(sql, params, many, context)
        table = sql.split('"')[1] if sql.startswith("INSERT INTO") else ""
        number = next(events) if table == "dashboard_auditevent" else 0
        happened = "change inserted" if table == "dashboard_change" else ""
        happened = happened or {2: "outcome inserted"}.get(number, "")
        if happened == moment != "":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def opening(path: Any, *arguments: Any, **rest: Any) -> int:
        if moment == "intent written" and str(path).endswith("/lock"):  # the change begins
            os.kill(os.getpid(), signal.SIGKILL)
        return real_open(path, *arguments, **rest)

    with pytest.MonkeyPatch.context() as patch, connection.execute_wrapper(execute):
        patch.setattr(os, "rename", rename)
        patch.setattr(os, "open", opening)
        yield
    if moment == "outcome written":
        os.kill(os.getpid(), signal.SIGKILL)


def report() -> dict[str, Any]:
    """Every event, every change, and what a check of the audit chain finds."""
    from dashboard import audit
    from dashboard.models import AuditEvent, Change

    events = AuditEvent.objects.order_by("sequence")
    return {
        "breaks": list(audit.verify()),
        "events": [
            {
                "sequence": event.sequence,
                "actor": event.actor,
                "action": event.action,
                "outcome": event.outcome,
                "details": json.loads(event.details),
            }
            for event in events
        ],
        "changes": list(Change.objects.values("pk", "actor", "key", "version_id", "fields")),
    }


commands: dict[str, Callable[..., object]] = {
    "people": people,
    "operate": operate,
    "killed": killed,
    "again": again,
    "restored": restored,
    "report": report,
}

if __name__ == "__main__":
    os.umask(0o077)
    django.setup()
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))
