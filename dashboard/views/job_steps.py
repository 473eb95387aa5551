"""Steer a job: pause, resume, cancel, try again. Each goes back to the job's page."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from dashboard.acting import Actor, actor_of
from dashboard.jobs import queue
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required

from .answers import tells_problems


@require_POST
@role_required("operator")
@tells_problems
def pause(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Stop after the item at hand, until somebody resumes it."""
    return _steer(
        request, job_id, queue.pause, _("The job is paused; an item at hand is finished first.")
    )


@require_POST
@role_required("operator")
@tells_problems
def resume(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Go on with a paused job."""
    return _steer(request, job_id, queue.resume, _("The job goes on."))


@require_POST
@role_required("operator")
@tells_problems
def cancel(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """End the job after the item at hand."""
    return _steer(
        request, job_id, queue.cancel, _("The job is cancelled; an item at hand is finished first.")
    )


@require_POST
@role_required("operator")
@tells_problems
def retry(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Run what failed again."""
    return _steer(request, job_id, queue.retry_failed, _("What failed is tried again."))


def _steer(
    request: HttpRequest, job_id: int, step: Callable[[Actor, int], None], said: str
) -> HttpResponseBase:
    step(actor_of(cast(ConsoleRequest, request)), job_id)
    messages.success(request, said)
    return redirect("job", job_id)
