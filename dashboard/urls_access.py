"""Addresses of people, sign-ins, tokens and settings."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
