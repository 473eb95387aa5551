"""Every address × every role × every agent scope × reading and changing, from the URL map itself.

A new route is covered as soon as it is in the map. The state is a real sample with two agents; the
people differ in role and in whether they may see every agent, the one that addresses name, the
other one, or none.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard import roles, tokens
from dashboard.acting import Actor
from dashboard.models import (
    Acknowledgement,
    Alert,
    ApiToken,
    BackupSchedule,
    Change,
    Incident,
    Job,
    JobItem,
    SignIn,
    TidyFinding,
    TidyItem,
    TidyPlan,
    TidyReport,
    TidySchedule,
)
from dashboard.models.incidents import IncidentNote, IncidentStore
from dashboard.models.jobs import JobStore
from dashboard.services.backup_catalogue import catalogue
from dashboard.services.fleet import fleet
from dashboard.services.restore_plans import Wanted, make_plan
from sessionstore.backup import create_backup
from sessionstore.store import open_store
from tests.conftest import MakeUser
from tests.dashboard.persons import Person, limit
from tests.dashboard.url_map import OPEN_NAMES, Address, all_addresses

pytestmark = pytest.mark.django_db

THIS, OTHER = "main", "work"
SCOPES: dict[str, tuple[str, ...] | None] = {
    "all": None,
    "this": (THIS,),
    "other": (OTHER,),
    "none": (),
}
PEOPLE = list(itertools.product((None, *roles.ROLES), SCOPES))
ADDRESSES = all_addresses()

#: Ids that the state has for sure; an address with only these must be there for who may see it.
KNOWN = frozenset(
    {
        *("store_id", "ref", "user_id", "token_id", "sign_in_id", "change_id", "job_id"),
        *("backup_id", "comparison_id", "incident_id", "tidy_id"),
    }
)
#: Operators may do these to what they asked for themselves; the job of the world is somebody's.
OWN_ONLY = frozenset({"job_pause", "job_resume", "job_cancel", "job_retry"})
#: Says of everything below it that there is nothing, to those who may ask.
NOTHING = frozenset({"api_root"})
MADE_UP_STORE = "0123456789ab"
DIFFERS = re.compile(
    r"""
    [0-9a-f]{16} | csrf\w+"[^>]+> | "X-CSRFToken":\ "\w+" | \d{9,}
    | \d\d:\d\d:\d\d[.\d]*Z? | just\ now | \d+\ s\ ago
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class World:
    """A state with one session of each agent, and rows of the console about both."""

    values: dict[str, object]
    marks: dict[str, tuple[str, ...]]


@pytest.fixture
def world(state_dir: Path, make_user: MakeUser, request: pytest.FixtureRequest) -> World:
    """The sample, a session with telling words in each agent, and a row of every kind.

    Backups are there only for addresses of backups, as taking some for each takes its time.
    """
    marks: dict[str, tuple[str, ...]] = {}
    ids: dict[str, tuple[str, str]] = {}
    for agent in (THIS, OTHER):
        key = f"agent:{agent}:telegram:direct:mark{agent}"
        words = (f"Zebra of {agent}", f"id-of-mark-{agent}", f"mark{agent}")
        entry = {"sessionId": words[1], "label": words[0], "updatedAt": 1_790_000_000_000}
        store = open_store(state_dir / "agents" / agent / "sessions", gateway_lock_dir=state_dir)
        store.put(key, entry)
        marks[agent] = words
    for reader in fleet().refreshed().readers:
        key = f"agent:{reader.agent}:telegram:direct:mark{reader.agent}"
        ids[reader.agent] = (reader.id, reader.refs.of(key))
        _rows_about(reader.agent, reader.id, key, marks[reader.agent])
    values = {**_row_ids(make_user), "store_id": ids[THIS][0], "ref": ids[THIS][1]}
    if "/backups" in request.node.callspec.params["address"].route:
        values |= _backups(state_dir, marks)
    return World(values, marks)


def _backups(state_dir: Path, marks: dict[str, tuple[str, ...]]) -> dict[str, object]:
    """A backup of each agent, which tells its words, a comparison and a schedule of one."""
    for agent in (OTHER, THIS):
        store = open_store(state_dir / "agents" / agent / "sessions", gateway_lock_dir=state_dir)
        create_backup(store, reason=marks[agent][0], by=marks[agent][1])
        BackupSchedule.objects.create(
            agents=[agent],
            actor=marks[agent][2],
            created_at=timezone.now(),
            slot_at=timezone.now(),
        )
    [kept] = [one for one in catalogue().kept if one.name == THIS]
    actor = Actor(None, "somebody", "admin")
    return {
        "backup_id": kept.backup.id,
        "comparison_id": make_plan(actor, kept, Wanted(None)).pk,
        "schedule_id": BackupSchedule.objects.get(agents=[OTHER]).pk,
    }


def _rows_about(agent: str, store_id: str, key: str, words: tuple[str, ...]) -> None:
    now = timezone.now()
    Change.objects.create(
        at=now,
        actor="somebody",
        store_id=store_id,
        store_name=agent,
        agent=agent,
        key=key,
        action="rename",
        fields=["label"],
        version_id=f"{agent}-version",
        reason=words[0],
        expires_at=now + timedelta(days=1),
    )
    job = Job.objects.create(
        kind="bulk",
        title=words[0],
        total=1,
        actor="somebody",
        agents=[agent],
        created_at=now,
        not_before=now,
    )
    JobStore.objects.create(job=job, store_id=store_id, agent=agent, name=agent)
    Alert.objects.create(
        uid=store_id, kind="bad", store_id=store_id, agent=agent, check_name="backup",
        state="bad", sentence=words[0], at=now,
    )  # fmt: skip
    Acknowledgement.objects.create(
        check_name="backup", state="bad", note=words[0], actor="somebody", agents=[agent],
        at=now, until=now + timedelta(days=1),
    )  # fmt: skip
    JobItem.objects.create(job=job, position=0, store_id=store_id, key=key, message=words[1])
    incident = Incident.objects.create(
        title=words[0], started_at=now, marked_at=now, actor="somebody"
    )
    IncidentStore.objects.create(incident=incident, store_id=store_id, agent=agent, name=agent)
    IncidentNote.objects.create(incident=incident, at=now, text=words[1])
    _tidy_rows_about(agent, store_id, key, words)


def _tidy_rows_about(agent: str, store_id: str, key: str, words: tuple[str, ...]) -> None:
    """A check with a finding, a plan with an item, and a schedule."""
    now = timezone.now()
    about = {"store_id": store_id, "agent": agent, "name": agent}
    report = TidyReport.objects.create(**about, examined_at=now, actor=words[2], is_ready=True)
    TidyFinding.objects.create(
        report=report, position=0, ident="0", rule="untouched", severity="info", key=key,
        message=words[0], hint=words[1],
    )  # fmt: skip
    plan = TidyPlan.objects.create(
        **about, id=store_id.ljust(32, "0"), actor=words[2], created_at=now, is_ready=True,
        expires_at=now + timedelta(days=1), examined={"entries": 1, "files": 1},
    )  # fmt: skip
    TidyItem.objects.create(
        plan=plan, position=0, ident="0", kind="entry", action="keep", rule="prune",
        reason=words[0], subject=key, has_key=True,
    )  # fmt: skip
    TidySchedule.objects.create(agents=[agent], actor=words[2], created_at=now, slot_at=now)


def _row_ids(make_user: MakeUser) -> dict[str, object]:
    target = Person(make_user("target", "viewer")).user
    return {
        "user_id": target.pk,
        "token_id": ApiToken.objects.get(user=target).pk,
        "sign_in_id": SignIn.objects.get(user=target).pk,
        "change_id": Change.objects.get(agent=THIS).pk,
        "job_id": Job.objects.get(title=f"Zebra of {THIS}").pk,
        "incident_id": Incident.objects.get(title=f"Zebra of {THIS}").pk,
        "tidy_id": TidyPlan.objects.get(agent=THIS).pk,
    }


@dataclass(frozen=True, slots=True)
class Someone:
    """One person of the matrix."""

    person: Person
    role: roles.Role | None
    scope: str

    @property
    def sees(self) -> frozenset[str]:
        """The agents that they may see."""
        if self.role == "admin":
            return frozenset({THIS, OTHER})
        if self.role is None:
            return frozenset()
        return frozenset((THIS, OTHER) if SCOPES[self.scope] is None else SCOPES[self.scope] or ())

    def __str__(self) -> str:
        return f"{self.role} of {self.scope}"


@pytest.fixture
def everybody(make_user: MakeUser) -> list[Someone]:
    """One person of each role and scope."""
    return list(_everybody(make_user))


def _everybody(make_user: MakeUser) -> Iterator[Someone]:
    for role, scope in PEOPLE:
        user = make_user(f"{role}-{scope}".lower(), role)
        agents = SCOPES[scope]
        if agents is not None:
            limit(user, *agents)
        yield Someone(Person(user), role, scope)


def by_route(address: Address) -> str:
    return address.route


def may(someone: Someone, address: Address, method: str) -> bool:
    required = address.required(method)
    return required == roles.ANYONE or roles.includes(someone.role, required)


@pytest.mark.parametrize("address", ADDRESSES, ids=by_route)
def test_reading_and_changing_need_the_role_and_the_agent(
    world: World, everybody: list[Someone], address: Address
) -> None:
    # Whoever may do the least comes first: what the others change must not be what refuses these.
    for method in ("GET", "POST"):
        for someone in everybody:
            answer = someone.person.ask(address, method, address.at(world.values))
            said = f"{method} {address.name} by {someone}: {answer.status_code}"
            assert answer.status_code < 500, said
            _check(world, someone, address, method, answer, said)


def _check(
    world: World, someone: Someone, address: Address, method: str, answer: Any, said: str
) -> None:
    status, allowed = answer.status_code, may(someone, address, method)
    if address.name in OPEN_NAMES:
        return
    if address.wants_token and someone.role is None:
        assert status == 401, said
    elif not (allowed and address.name in OWN_ONLY and someone.role == "operator"):
        assert (status == 403) is not allowed, said
    if allowed and "store_id" in address.converters and THIS not in someone.sees:
        assert status == _without_store(world, someone, address, method), said
    elif allowed and method == "GET" and _is_surely_there(address):
        assert status != 404 or _is_out_of_scope(someone, address), said
    for agent in {THIS, OTHER} - someone.sees:
        text = answer.getvalue().decode("utf-8", "replace")
        assert [mark for mark in world.marks[agent] if mark in text] == [], said


def _is_surely_there(address: Address) -> bool:
    return not set(address.converters) - KNOWN and address.name not in NOTHING


def _is_out_of_scope(someone: Someone, address: Address) -> bool:
    """Rows about the agent main, which are not there for who may not see it."""
    own = {"sign_in_id", "token_id"} & set(address.converters)
    return bool(own) or THIS not in someone.sees


def _without_store(world: World, someone: Someone, address: Address, method: str) -> int:
    path = address.at({**world.values, "store_id": MADE_UP_STORE})
    return int(someone.person.ask(address, method, path).status_code)


@pytest.mark.parametrize(
    "address", [one for one in ADDRESSES if "store_id" in one.converters], ids=by_route
)
def test_a_store_out_of_scope_answers_word_for_word_as_one_that_is_not_there(
    world: World, make_user: MakeUser, address: Address
) -> None:
    user = make_user("operator", "operator")
    limit(user, OTHER)
    person = Person(user)
    for method in ("GET", "POST"):
        if not roles.includes("operator", address.required(method)):
            continue
        texts = [
            _text(
                person.ask(address, method, address.at({**world.values, "store_id": ident})), ident
            )
            for ident in (world.values["store_id"], MADE_UP_STORE)
        ]
        assert texts[0] == texts[1]


def _text(answer: Any, ident: object) -> str:
    text: str = answer.getvalue().decode("utf-8", "replace")
    return f"{answer.status_code} {DIFFERS.sub('', text.replace(str(ident), 'ID'))}"


@pytest.mark.parametrize("address", [a for a in ADDRESSES if a.wants_token], ids=by_route)
def test_a_token_of_fewer_agents_than_its_owner_reaches_only_these(
    world: World, alice: User, address: Address
) -> None:
    person = Person(alice)
    person.token = tokens.issue(alice, name="narrow", role="admin", agents=[OTHER])
    for method in ("GET", "POST"):
        answer = person.ask(address, method, address.at(world.values))
        text = answer.getvalue().decode("utf-8", "replace")
        assert [mark for mark in world.marks[THIS] if mark in text] == []
        if "store_id" in address.converters:
            missing = address.at({**world.values, "store_id": MADE_UP_STORE})
            assert answer.status_code == person.ask(address, method, missing).status_code


@pytest.mark.parametrize("address", [a for a in ADDRESSES if a.wants_token], ids=by_route)
def test_a_viewers_token_of_an_admin_is_a_viewers(
    world: World, alice: User, address: Address
) -> None:
    person = Person(alice)
    person.token = tokens.issue(alice, name="lesser", role="viewer")
    for method in ("GET", "POST", "PATCH", "DELETE"):
        answer = person.ask(address, method, address.at(world.values))
        allowed = roles.includes("viewer", address.required(method))
        assert (answer.status_code == 403) is not allowed


def test_the_matrix_has_both_kinds_of_addresses() -> None:
    assert any(address.wants_token for address in ADDRESSES)
    assert sum("store_id" in address.converters for address in ADDRESSES) > 10
