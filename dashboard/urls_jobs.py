"""Addresses of jobs."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import job_steps, job_twins, jobs

urlpatterns: list[URLPattern] = [
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs.json", job_twins.jobs_json, name="jobs_json"),
    path("jobs.csv", job_twins.jobs_csv, name="jobs_csv"),
    path("jobs/<int:job_id>/", jobs.job, name="job"),
    path("jobs/<int:job_id>.json", job_twins.job_json, name="job_json"),
    path("jobs/<int:job_id>.csv", job_twins.job_csv, name="job_csv"),
    path("jobs/<int:job_id>/pause/", job_steps.pause, name="job_pause"),
    path("jobs/<int:job_id>/resume/", job_steps.resume, name="job_resume"),
    path("jobs/<int:job_id>/cancel/", job_steps.cancel, name="job_cancel"),
    path("jobs/<int:job_id>/retry/", job_steps.retry, name="job_retry"),
]
