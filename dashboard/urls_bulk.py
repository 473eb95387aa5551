"""Addresses of bulk actions and their plans."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
