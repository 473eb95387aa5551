"""The address that monitoring scrapes."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import metrics

urlpatterns: list[URLPattern] = [path("metrics", metrics.metrics, name="metrics")]
