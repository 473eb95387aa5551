"""Changing accounts: what ends, what is refused, and that an admin is always left."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from dashboard import roles, tokens
from dashboard.acting import Actor
from dashboard.models import AgentScope, ApiToken, AuditEvent, SignIn, SsoName
from dashboard.people import changes
from dashboard.people.changes import Access, account_stamp
from dashboard.services.problems import ProblemError
from tests.conftest import PASSWORD, MakeUser, client_for

pytestmark = pytest.mark.django_db

BY = Actor(1, "alice", "admin", address="192.0.2.1", request_id="r1")


def form_of(account: User, **fields: Any) -> dict[str, Any]:
    """The access form as the page shows it, with some fields changed."""
    role = roles.assigned_role(account) or "viewer"
    return {"stamp": account_stamp(account), "role": role, "reach": "all"} | fields


def change(client: Client, account: User, **fields: Any) -> Any:
    return client.post(f"/people/{account.pk}/access/", form_of(account, **fields))


# --- Role and agents ------------------------------------------------------------------------------


def test_an_admin_gives_another_role(admin_client: Client, carol: User) -> None:
    answer = change(admin_client, carol, role="operator")
    assert answer["Location"] == f"/people/{carol.pk}/"
    assert roles.role_of(User.objects.get(pk=carol.pk)) == "operator"
    event = AuditEvent.objects.get(action="user.access")
    assert (event.actor, event.target) == ("alice", "carol")
    assert '"role":"operator"' in event.details


def test_an_admin_gives_agents_known_and_typed(
    admin_client: Client, watched_demo: Any, carol: User
) -> None:
    fields = {"reach": "some", "agents": ["main"], "more_agents": " later \n\nWork\n"}
    assert change(admin_client, carol, **fields).status_code == 302
    assert AgentScope.objects.get(user=carol).agents == ["Work", "later", "main"]
    assert change(admin_client, carol, reach="all").status_code == 302
    assert not AgentScope.objects.filter(user=carol).exists()


def test_only_these_without_any_is_no_agent(admin_client: Client, carol: User) -> None:
    change(admin_client, carol, reach="some")
    assert AgentScope.objects.get(user=carol).agents == []


def test_an_unknown_agent_or_role_is_refused_at_the_field(
    admin_client: Client, carol: User
) -> None:
    for fields in ({"role": "owner"}, {"reach": "some", "agents": ["nobody"]}, {"reach": "most"}):
        assert change(admin_client, carol, **fields).status_code == 422
    assert roles.role_of(carol) == "viewer"


@pytest.mark.parametrize("typed", ["a\u202eb", "x" * 301, "a\x07b"])
def test_a_line_that_can_be_no_agent_is_refused(
    admin_client: Client, carol: User, typed: str
) -> None:
    answer = change(admin_client, carol, reach="some", more_agents=typed)
    assert answer.status_code == 422
    assert "cannot be the name of an agent" in answer.text


def test_a_change_of_role_ends_every_sign_in_of_the_person(
    admin_client: Client, carol: User
) -> None:
    here, there = client_for(carol), client_for(carol)
    old = here.cookies["sessionstore_session"].value
    change(admin_client, carol, role="operator")
    assert here.get("/account/").status_code == there.get("/account/").status_code == 302
    assert "an admin changed what you may do" in here.get("/login/").text
    here.post("/login/", {"username": "carol", "password": PASSWORD})
    assert here.cookies["sessionstore_session"].value != old
    assert here.get("/account/").status_code == 200


def test_a_change_of_agents_ends_the_sign_ins_too(admin_client: Client, carol: User) -> None:
    client = client_for(carol)
    change(admin_client, carol, reach="some", more_agents="main")
    assert client.get("/account/").status_code == 302


def test_saving_what_is_so_already_ends_nothing(admin_client: Client, carol: User) -> None:
    client = client_for(carol)
    change(admin_client, carol)
    assert client.get("/account/").status_code == 200
    assert not AuditEvent.objects.filter(action="user.access").exists()


def test_a_superuser_can_be_made_less(admin_client: Client) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    change(admin_client, root, role="viewer")
    assert roles.role_of(User.objects.get(pk=root.pk)) == "viewer"


# --- Making ---------------------------------------------------------------------------------------


NEW = {"username": "erin", "role": "viewer", "reach": "all", "start": "password"}


def test_an_account_with_a_password_can_sign_in(admin_client: Client, client: Client) -> None:
    form = NEW | {"password1": "a fine password of mine", "password2": "a fine password of mine"}
    answer = admin_client.post("/people/new/", form)
    assert answer.status_code == 302
    page = admin_client.get(answer["Location"]).text
    assert "a fine password of mine" not in page
    credentials = {"username": "erin", "password": "a fine password of mine"}
    assert client.post("/login/", credentials)["Location"] == "/"
    assert AuditEvent.objects.get(action="user.make").target == "erin"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("short", "short", "at least 12 characters"),
        ("password1234", "password1234", "too common"),
        ("483920174839", "483920174839", "entirely numeric"),
        ("erinerinerin1", "erinerinerin1", "too similar"),
        ("a fine password of mine", "another password", "not the same"),
        ("", "", "Type a password"),
    ],
)
def test_a_weak_password_is_refused_with_the_rule(
    admin_client: Client, first: str, second: str, said: str
) -> None:
    form = NEW | {"username": "erinerin", "password1": first, "password2": second}
    answer = admin_client.post("/people/new/", form)
    assert answer.status_code == 422
    assert said in answer.text
    assert not first or f'value="{first}"' not in answer.text
    assert not User.objects.filter(username="erinerin").exists()


@pytest.mark.parametrize("name", ["alice", "ALICE", "", "a b", "<b>x</b>", "x" * 151])
def test_a_name_that_is_taken_or_none_is_refused(admin_client: Client, name: str) -> None:
    answer = admin_client.post("/people/new/", NEW | {"username": name, "start": "invite"})
    assert answer.status_code == 422
    assert User.objects.count() == 1
    assert "<b>x</b>" not in answer.text


def test_of_two_who_make_the_same_name_one_is_told(alice: User) -> None:
    changes.make("erin", Access("viewer", None), password=None, by=BY)
    with pytest.raises(ProblemError) as caught:
        changes.make("erin", Access("admin", None), password=None, by=BY)
    assert caught.value.problem.status == 409
    assert roles.role_of(User.objects.get(username="erin")) == "viewer"


# --- Disabling and deleting -----------------------------------------------------------------------


def active(client: Client, account: User, answer: str) -> Any:
    form = {"stamp": account_stamp(User.objects.get(pk=account.pk)), "active": answer}
    return client.post(f"/people/{account.pk}/active/", form)


def test_a_disabled_person_is_out_and_cannot_come_back(
    admin_client: Client, client: Client, carol: User
) -> None:
    signed_in = client_for(carol)
    token = tokens.issue(carol, name="t", role="viewer")
    active(admin_client, carol, "no")
    assert signed_in.get("/account/").status_code == 302
    credentials = {"username": "carol", "password": PASSWORD}
    assert client.post("/login/", credentials).status_code == 422
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/stores", headers=headers).status_code == 401
    assert SignIn.objects.get(user=carol).ended_because == "your account was disabled."
    active(admin_client, carol, "yes")
    assert client.post("/login/", credentials).status_code == 302
    assert signed_in.get("/account/").status_code == 302


def test_deleting_says_what_goes_first(admin_client: Client, carol: User) -> None:
    client_for(carol)
    tokens.issue(carol, name="t", role="viewer")
    page = admin_client.get(f"/people/{carol.pk}/delete/").text
    assert "1 sign-in ends." in page
    assert "1 API token is removed." in page
    assert User.objects.filter(username="carol").exists()


def test_a_deleted_account_is_gone_with_its_tokens(admin_client: Client, carol: User) -> None:
    client = client_for(carol)
    tokens.issue(carol, name="t", role="viewer")
    form = {"stamp": account_stamp(carol)}
    assert admin_client.post(f"/people/{carol.pk}/delete/", form)["Location"] == "/people/"
    assert client.get("/account/").status_code == 302
    assert not ApiToken.objects.exists()
    assert AuditEvent.objects.get(action="user.delete").target == "carol"
    assert admin_client.get(f"/people/{carol.pk}/").status_code == 404


# --- Stale forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["access", "active", "delete"])
def test_a_form_of_an_account_that_has_changed_since_is_refused(
    admin_client: Client, carol: User, step: str
) -> None:
    form = form_of(carol, role="admin", active="no")
    roles.assign_role(carol, "operator")
    answer = admin_client.post(f"/people/{carol.pk}/{step}/", form)
    assert answer.status_code == 409
    assert "has changed meanwhile" in answer.text
    assert roles.role_of(User.objects.get(pk=carol.pk)) == "operator"


def test_a_form_without_a_stamp_is_refused(admin_client: Client, carol: User) -> None:
    form = {"role": "admin", "reach": "all"}
    assert admin_client.post(f"/people/{carol.pk}/access/", form).status_code == 409


# --- The last admin -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "fields"),
    [("access", {"role": "viewer"}), ("active", {"active": "no"}), ("delete", {})],
)
def test_the_last_admin_cannot_demote_disable_or_remove_themself(
    admin_client: Client, alice: User, step: str, fields: dict[str, str]
) -> None:
    answer = admin_client.post(f"/people/{alice.pk}/{step}/", form_of(alice, **fields))
    assert answer.status_code == 409
    assert "last admin" in answer.text
    assert roles.role_of(User.objects.get(username="alice")) == "admin"
    assert admin_client.get("/people/").status_code == 200
    assert not AuditEvent.objects.filter(action__startswith="user.").exists()


def test_an_admin_who_cannot_sign_in_is_none(admin_client: Client, alice: User) -> None:
    changes.make("invited", Access("admin", None), password=None, by=BY)
    assert change(admin_client, alice, role="viewer").status_code == 409


def test_with_another_admin_one_may_demote_oneself(
    admin_client: Client, alice: User, make_user: MakeUser
) -> None:
    make_user("zoe", "admin")
    assert change(admin_client, alice, role="viewer").status_code == 302
    assert admin_client.get("/people/").status_code == 302


def test_a_name_of_the_proxy_that_is_the_last_way_in_stays(settings: Any) -> None:
    settings.SSO_HEADER = "X-Auth-User"
    only = changes.make("only", Access("admin", None), password=None, by=BY)
    row = SsoName.objects.create(name="only@corp", user=only)
    with pytest.raises(ProblemError):
        changes.remove_sso_name(row, by=BY)
    assert SsoName.objects.filter(name="only@corp").exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_who_demote_each_other_at_once_one_stays(make_user: MakeUser) -> None:
    people = [make_user("alice", "admin"), make_user("zoe", "admin")]
    stamps = [account_stamp(person) for person in people]
    begin, outcomes = threading.Barrier(2, timeout=60), []

    def demote(number: int) -> None:
        begin.wait()
        try:
            access = Access("viewer", None)
            changes.change_access(people[number].pk, access, stamp=stamps[number], by=BY)
        except ProblemError as error:
            outcomes.append(error.problem.status)
        else:
            outcomes.append(200)
        finally:
            connection.close()

    threads = [threading.Thread(target=demote, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == [200, 409]
    assert len(changes.working_admins()) == 1


# --- The list -------------------------------------------------------------------------------------


def test_the_list_shows_roles_agents_and_states(
    admin_client: Client, carol: User, make_user: MakeUser
) -> None:
    AgentScope.objects.create(user=carol, agents=["main"])
    dave = make_user("dave", None)
    dave.is_active = False
    dave.save()
    changes.make("erin", Access("operator", None), password=None, by=BY)
    rows = {row["name"]: row for row in admin_client.get("/people.json").json()["people"]}
    assert (rows["carol"]["role"], rows["carol"]["agents"]) == ("viewer", ["main"])
    assert (rows["alice"]["signed_in"], rows["alice"]["agents"]) == (1, None)
    assert [rows[name]["state"] for name in ("alice", "dave", "erin")] == [
        "active",
        "disabled",
        "locked out",
    ]
    text = admin_client.get("/people.csv").getvalue().decode()
    assert text.splitlines()[0].startswith("id,name,role,agents,state")
    assert "carol,viewer,main,active" in text


def test_the_list_costs_the_same_queries_for_any_number_of_people(
    admin_client: Client, make_user: MakeUser, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_user(f"person{number}", "viewer")
    with django_assert_max_num_queries(14):
        admin_client.get("/people/")
