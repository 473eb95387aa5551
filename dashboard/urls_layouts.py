"""Addresses of the comparison of a store's forms."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import layouts

_STORE = "stores/<store:store_id>/layouts"

urlpatterns: list[URLPattern] = [
    path(f"{_STORE}/", layouts.layouts, name="store_layouts"),
    path(f"{_STORE}.json", layouts.layouts_json, name="store_layouts_json"),
    path(f"{_STORE}.csv", layouts.layouts_csv, name="store_layouts_csv"),
    path(f"{_STORE}/<ref:ref>/", layouts.layout, name="store_layout"),
    path(f"{_STORE}/<ref:ref>.json", layouts.layout_json, name="store_layout_json"),
]
