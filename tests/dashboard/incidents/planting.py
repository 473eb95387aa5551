"""A state and a console whose every text was chosen by somebody who means harm.

Texts come in the ways they really come: as files of a state directory, names of folders, sign-ins
that fail, headers, forms, jobs, API tokens, changes. Nothing is written past the code that would
write it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from dashboard import audit, tokens
from dashboard.acting import Actor
from dashboard.jobs import claiming, life, queue
from dashboard.jobs.kinds import ItemResult, Kind
from dashboard.jobs.progress import Progress
from dashboard.jobs.running import run_job
from dashboard.models import Change, Job, JobItem, Plan, SignIn, SsoName
from dashboard.services.backup_catalogue import Kept, catalogue
from dashboard.services.bulk_plans import make_plan
from dashboard.services.bulk_selection import matching
from dashboard.services.changing import FieldEdit, save
from dashboard.services.fleet import fleet
from dashboard.services.incidents.acts import Wish, mark
from dashboard.services.problems import ProblemError
from dashboard.services.restore_plans import Wanted as Restoring
from dashboard.services.restore_plans import make_plan as compare_backup
from dashboard.services.tidy_asking import ask_plan
from dashboard.services.tidy_checking import ask_check
from dashboard.services.vocabulary import Wanted
from sessionstore.backup import create_backup
from sessionstore.errors import SessionStoreError
from sessionstore.keys import fold
from sessionstore.maintenance import MaintenancePolicy
from sessionstore.store import Store, open_store
from tests.conftest import PASSWORD

AT = 1_790_000_000_000


def _says(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    return ItemResult("failed", f"It said {item.params['says']}.")


#: A kind of job that fails with a text; to be registered before anything is planted.
SAYS = Kind("test.says", "operator", _says, title="Say")


@dataclass(frozen=True, slots=True)
class World:
    """What was planted, and real arguments for addresses."""

    state: Path
    keys: tuple[str, ...]
    values: dict[str, object]


def plant(state: Path, texts: Sequence[str], admin: User) -> World:
    """Plant each text in every place that takes one, names of people left out."""
    store = open_store(state / "agents" / "main" / "sessions")
    keys = [_session(store, at, text) for at, text in enumerate(texts)]
    for at, text in enumerate(texts):
        _files(state, at, text)
    store_id = next(r.id for r in fleet().refreshed().readers if r.agent == "main")
    by = Actor(admin.pk, admin.get_username(), "admin", "192.0.2.7", "request-1")
    for at, (key, text) in enumerate(zip(keys, texts, strict=True)):
        _doings(by, store_id, key, text)
        _names(admin, at, text)
    kept = _backups(store, texts)
    tidied = _clean_up(by, store_id)
    change = {"name": "thinkingLevel", "value": "high"}
    make_plan(by, matching(Wanted(), store_id=None), "set_field", change, {})
    for at, text in enumerate(texts):  # last: failures slow down every sign-in after them
        _requests(at, text)
    store.close()
    compared = compare_backup(by, kept, Restoring(None))
    values = {"backup_id": kept.backup.id, "comparison_id": compared.pk, "tidy_id": tidied}
    return World(state, tuple(keys), _values(store_id, keys[0], admin) | values)


def entry_of(text: str) -> dict[str, object]:
    """An entry in which the text is everywhere."""
    return {
        "sessionId": text[:100],
        "updatedAt": AT,
        "label": f"label {text}",
        "displayName": text,
        "subject": text,
        "channel": text,
        "status": text,
        "model": text,
        "modelOverride": text,
        "thinkingLevel": text,
        "chatType": text,
        "lastChannel": text,
        "lastTo": f"to {text}",
        "origin": {"label": text, "from": text, "threadId": text},
        "deliveryContext": {"channel": text, "to": text},
        "sessionFile": f"{text[:100]}.jsonl",
        "lastHeartbeatText": f"said {text} today",
        "spawnedBy": f"agent:main:{text}",
        "goal": {text: [text, {"deep": [[text]], text: {"deeper": text}}]},
        f"own {text}": text,
        "execHost": text,
        "note": f"see {text}, and {text}.",
    }


def _session(store: Store, at: int, text: str) -> str:
    """Put a session with the text in its key too, where a key can hold it."""
    for key in (f"agent:main:telegram:group:{text}", f"agent:main:explicit:{at}"):
        with suppress(SessionStoreError):
            folded = fold(key)
            store.put(folded, entry_of(text))
            return folded
    raise AssertionError("no key")


def _files(state: Path, at: int, text: str) -> None:
    """Put the text into names of folders and files, damaged entries and locks."""
    name = "" if "/" in text else text.replace("\n", " ")[:60]
    directory = state / "agents" / "main" / "sessions" / "sessions.d"
    damaged = directory / f"agent%3Amain%3Aexplicit%3Adamaged{at}.json"
    damaged.write_text(json.dumps({"a": text})[:-1] + f' "note": "{text}", ')
    if not name:
        return
    with suppress(OSError):
        (directory / f"{name}.json").write_text("{}")
        (directory / f"odd{at} {name}.txt").write_text(text)
    if not set(".: ") & set(name) or "<" in name:  # else the agent's name would not have it whole
        _agents(state, name, text)
    transcripts = state / "agents" / "main" / "sessions"
    with suppress(OSError):
        (transcripts / f"{name}.jsonl").write_text(json.dumps({"text": text}) + "\n")
        (transcripts / f"{name}.jsonl.lock").write_text(json.dumps({"pid": 1, "program": text}))


def _agents(state: Path, name: str, text: str) -> None:
    """Name folders of agents, one of them a link."""
    directory = state / "agents" / "main" / "sessions"
    with suppress(OSError):
        other = state / "agents" / f"other {name}" / "sessions" / "sessions.d"
        other.mkdir(parents=True)
        (other / "agent%3Aother%3Amain.json").write_text(json.dumps(entry_of(text)))
        linked = state / "agents" / f"linked {name}" / "sessions"
        linked.parent.mkdir(parents=True)
        linked.symlink_to(directory)


def _doings(by: Actor, store_id: str, key: str, text: str) -> None:
    """Change the session, plan more of it, and have a job say something about it."""
    with suppress(ProblemError):
        edits = [FieldEdit("label", f"label {text}", f"{text} renamed")]
        save(by, store_id, key, edits, reason=f"because {text}")
    mark(by, Wish(text, AT, None, (store_id,), f"saw {text}"))
    items = [(store_id, key, {"says": text})]
    queue.ask(by, kind=SAYS.name, title=f"Do {text}", reason=f"for {text}", items=items)
    hold = claiming.claim(life.new_name())
    assert hold is not None
    run_job(hold, Progress(), stopping=lambda: False)
    audit.record(
        None,
        by=Actor(None, "somebody", "operator", "192.0.2.9", "request-9"),
        action="test",
        target=text,
        outcome="failed",
        reason=text,
        details={"why": text, text: text, "fields": {text: [text, text], "label": ["", text]}},
    )


def _backups(store: Store, texts: Sequence[str]) -> Kept:
    """Back the store up for each reason; the last of them."""
    for text in texts:
        last = create_backup(store, reason=text, by=text)
    return next(kept for kept in catalogue().kept if kept.backup.id == last.id)


def _clean_up(by: Actor, store_id: str) -> str:
    """Check the store and plan to tidy it; the plan's id."""
    reader = fleet().reader(store_id)
    ask_check(by, [reader])
    planned = ask_plan(by, reader, MaintenancePolicy(prune_after_s=1, orphan_retention_s=1))
    while (hold := claiming.claim(life.new_name())) is not None:
        run_job(hold, Progress(), stopping=lambda: False)
    return planned.pk


def _requests(at: int, text: str) -> None:
    """Send what anybody can send who reaches the console."""
    line = text.replace("\n", " ").replace("\r", " ")
    headers = {"User-Agent": line, "X-Forwarded-For": line, "X-Request-ID": line, "Referer": line}
    form = {"username": text[:150], "password": "x", "next": text}
    address = f"198.51.{at // 250}.{at % 250 + 1}"
    client = Client(headers=headers, REMOTE_ADDR=address, HTTP_X_REAL_IP=line)
    client.post("/login/", form)
    client.get(f"/login/?next={line}")
    client.get("/api/v1/stores", headers={"Authorization": f"Bearer {line}"})


def _names(admin: User, at: int, text: str) -> None:
    """Name what people name: tokens, and the program that they sign in with."""
    tokens.issue(admin, name=text[:100], role="viewer")
    line = text.replace("\n", " ")
    client = Client(headers={"User-Agent": line})
    form = {"username": admin.get_username(), "password": PASSWORD}
    client.post("/login/", form, REMOTE_ADDR=f"198.18.{at // 250}.{at % 250 + 1}")


def name_people(admin: User, texts: Sequence[str]) -> None:
    """Let the proxy, and the audit of some other time, call people by these names."""
    for at, text in enumerate(texts):
        SsoName.objects.create(name=f"{text[:140]} {at}", user=admin)
        by = Actor(None, text, text[:20], "192.0.2.9", text[:32])
        audit.record(None, by=by, action=text, outcome=text)


def _values(store_id: str, key: str, admin: User) -> dict[str, object]:
    """Real arguments, for routes that no link leads to."""
    reader = fleet().reader(store_id)
    change = Change.objects.filter(key=key).first()
    plan = Plan.objects.order_by("-total").first()
    ids: dict[str, Any] = {
        "token_id": admin.api_tokens,
        "sign_in_id": SignIn.objects.filter(user=admin),
        "job_id": Job.objects,
    }
    return {
        **{name: rows.values_list("pk", flat=True)[0] for name, rows in ids.items()},
        "store_id": store_id,
        "ref": reader.refs.of(key),
        "user_id": admin.pk,
        "change_id": change.pk if change else 1,
        "sso_id": 1,
        "version_id": change.version_id if change else "1",
        "plan_id": plan.pk if plan else "a" * 32,
        "action": "rename",
        "sequence": 2,
    }
