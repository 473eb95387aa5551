"""Operations of the API: each described where it is defined, checked and documented from that.

A view is decorated with :func:`operation`; :func:`resource` puts the operations of one address
together. What the description says is what is checked: role, parameters, body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from dashboard import roles
from dashboard.access import refuse_lesser
from dashboard.acting import Actor, actor_of
from dashboard.middleware import SAFE_METHODS
from dashboard.requests import ConsoleRequest
from dashboard.services.problems import ProblemError

from . import limits
from .answers import ApiError, problem_for
from .bodies import read_json
from .checking import Parameter, checked_body, checked_query
from .refusing import error_for


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what it asks for, checked against the description of its operation."""

    request: ConsoleRequest
    query: Mapping[str, Any]
    body: Mapping[str, Any]

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return actor_of(self.request)

    @property
    def reason(self) -> str:
        """Why a change is made, for the audit."""
        return str(self.body.get("reason") or self.query.get("reason") or "")


View = Callable[..., HttpResponse]
"""A view of the API: takes a :class:`Call` and, by name, the ids in the address."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What the document says about one method of one address.

    ``answer`` and ``body`` are names of schemas; an operation without ``body`` takes none.
    ``preconditions`` names the headers that it looks at, ``needs_if_match`` that it must have
    one, ``problems`` the codes that it may answer
    with besides those that every operation has.
    """

    id: str
    summary: str
    role: roles.Role
    answer: str
    group: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: str = ""
    preconditions: tuple[str, ...] = ()
    needs_if_match: bool = False
    problems: tuple[str, ...] = ()
    has_etag: bool = False
    view: View = field(repr=False, kw_only=True)


def operation(
    ident: str, summary: str, *, role: roles.Role = "viewer", answer: str, group: str, **more: Any
) -> Callable[[View], Operation]:
    """Describe the view that follows; see :class:`Operation`."""

    def decorate(view: View) -> Operation:
        return Operation(ident, summary, role, answer, group, view=view, **more)

    return decorate


def described(one: Operation, ident: str, **differences: Any) -> Operation:
    """The same operation with another id and whatever else differs."""
    return replace(one, id=ident, **differences)


def resource(**methods: Operation) -> Callable[..., HttpResponse]:
    """The view of one address, from the operations of its methods (``get=…, patch=…``).

    HEAD is answered wherever GET is. It declares the least role of its operations, and each
    operation's own is asked for as soon as the method is known.
    """
    operations = {name.upper(): one for name, one in methods.items()}
    least = min((one.role for one in operations.values()), key=roles.ROLES.index)

    @roles.token_required(least)
    def answering(request: ConsoleRequest, **ids: Any) -> HttpResponse:
        try:
            return _carried_out(operations, request, ids)
        except ProblemError as error:
            return problem_for(request, error_for(error))
        except ApiError as error:
            return problem_for(request, error)

    answering.operations = operations  # type: ignore[attr-defined]
    return answering


def _carried_out(
    operations: Mapping[str, Operation], request: ConsoleRequest, ids: Mapping[str, Any]
) -> HttpResponse:
    count_use(request)
    method = "GET" if request.method == "HEAD" else request.method or ""
    one = operations.get(method)
    if one is None:
        raise _other_method(operations)
    refuse_lesser(request, one.role)
    query = checked_query(request.GET, one.parameters)
    body = checked_body(read_json(request), one.body) if one.body else {}
    return one.view(Call(request, query, body), **ids)


def count_use(request: ConsoleRequest) -> None:
    """Count a request of its token.

    Raises:
        ApiError: the token has to wait.
    """
    prefix = request.via.removeprefix("api ")
    limits.count(prefix, is_change=request.method not in SAFE_METHODS)


def _other_method(operations: Mapping[str, Operation]) -> ApiError:
    names = sorted([*operations, "HEAD"] if "GET" in operations else operations)
    return ApiError(
        "method_not_allowed",
        _("This address takes %s.") % ", ".join(names),
        headers={"Allow": ", ".join(names)},
    )
