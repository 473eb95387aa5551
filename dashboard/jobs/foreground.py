"""Run one job in this process until it is over, or follow whichever runner has it.

For commands that wait for what they asked for: the job is a row like any other, so pages show it,
its store has one job at a time, and a runner takes it over when the command is killed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import OperationalError, connections
from django.db.models.functions import Now

from dashboard.acting import Actor
from dashboard.models import Job, JobStore
from dashboard.models.jobs import FINISHED, PAUSED, RUNNING
from dashboard.services.problems import ProblemError

from . import life, queue
from .claiming import Hold, LeaseLostError, claim
from .heartbeat import Heartbeat
from .progress import Progress
from .rows import JobRow, row_of
from .running import run_job

_LOOK_EVERY_S = 0.3


class Foreground:
    """Runs and follows one job; ``tell`` is given its row now and then."""

    def __init__(self, actor: Actor, job_id: int, tell: Callable[[JobRow], None]) -> None:
        self._actor = actor
        self._job_id = job_id
        self._tell = tell
        self._cancel = threading.Event()
        self._name = life.new_name()
        self._heartbeat = Heartbeat(self._name)

    def cancel(self) -> None:
        """Ask for its end; may be called from a signal handler."""
        self._cancel.set()

    def run(self) -> Job:
        """Return the job when it is over, or paused."""
        life.begin(self._name)
        self._heartbeat.start()
        try:
            return self._until_over()
        finally:
            self._heartbeat.stop()
            life.finish(self._name)

    def _until_over(self) -> Job:
        pause = threading.Event()
        while True:
            job = Job.objects.get(pk=self._job_id)
            if job.state in FINISHED or job.state == PAUSED:
                return job
            hold = claim(self._name, job_id=self._job_id) or self._abandoned()
            if hold is not None:
                self._work(hold)
            else:  # another runner has it, or another job its store
                self._look()
                pause.wait(_LOOK_EVERY_S)

    def _abandoned(self) -> Hold | None:
        """Take over a job that keeps one of our stores and whose runner is gone.

        Where no runner is at work, a command that was killed would else keep all later ones
        waiting for ever.
        """
        mine = JobStore.objects.filter(job=self._job_id).values("store_id")
        at_them = JobStore.objects.filter(at_work=True, store_id__in=mine)
        left = Job.objects.filter(state=RUNNING, lease_until__lt=Now(), stores__in=at_them)
        others = left.exclude(pk=self._job_id).order_by("pk").values_list("pk", flat=True)
        holds = (claim(self._name, job_id=job_id) for job_id in others)
        return next((hold for hold in holds if hold is not None), None)

    def _work(self, hold: Hold) -> None:
        progress, done = Progress(), threading.Event()
        self._heartbeat.keep(hold, progress)
        teller = threading.Thread(target=self._keep_telling, args=(done,), daemon=True)
        teller.start()
        try:
            run_job(hold, progress, stopping=lambda: False)
        except LeaseLostError:
            pass  # taken over or ended meanwhile: followed from now on
        finally:
            self._heartbeat.let_go()
            done.set()
            teller.join()

    def _keep_telling(self, done: threading.Event) -> None:
        try:
            while not done.wait(_LOOK_EVERY_S):
                try:
                    self._look()
                except OperationalError:
                    pass  # the next look is soon
        finally:
            connections.close_all()

    def _look(self) -> None:
        if self._cancel.is_set():
            self._cancel.clear()
            try:
                queue.cancel(self._actor, self._job_id)
            except ProblemError:
                pass  # it is over by itself
        self._tell(row_of(Job.objects.get(pk=self._job_id)))
