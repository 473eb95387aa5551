"""Addresses of versions and of taking changes back."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
