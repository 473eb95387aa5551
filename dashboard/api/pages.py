"""Pages of rows of the console's own database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

_USUAL_SIZE = 50
Row = TypeVar("Row", bound=Model)


def page_of(rows: QuerySet[Row], query: Mapping[str, Any]) -> tuple[dict[str, int], Sequence[Row]]:
    """What is said about a page, and its rows; none where the page is beyond the last."""
    page, per = query.get("page", 1), query.get("per", _USUAL_SIZE)
    matched = rows.count()
    about = {"page": page, "pages": max(1, -(-matched // per)), "matched": matched}
    return about, list(rows[(page - 1) * per : page * per])
