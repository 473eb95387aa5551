"""A console that is read-only refuses every change, and its pages offer none (pgHero 537)."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.conftest import client_for
from tests.dashboard.incidents.conftest import Plant
from tests.dashboard.incidents.crawling import Crawl, Visit, route_of
from tests.dashboard.url_map import all_addresses

pytestmark = pytest.mark.django_db


def offered_by(visit: Visit) -> set[str | None]:
    """The routes that the forms and buttons of a page send something to."""
    page = visit.page
    paths = [form.path for form in page.forms if form.method == "post"]
    for _tag, attributes in page.elements:
        paths += [attributes[name] for name in ("hx-post", "hx-delete") if name in attributes]
        if attributes.get("formmethod") == "post" and "formaction" in attributes:
            paths.append(attributes["formaction"])
    return {route_of(path.partition("?")[0] or visit.address) for path in paths}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_page_of_a_read_only_console_offers_a_change(
    plant_texts: Plant, alice: User, settings: Any
) -> None:
    world = plant_texts(["harmless"])
    addresses = all_addresses()
    allowed = {address.name for address in addresses if address.works_when_read_only}
    starts = [address.at(world.values) for address in addresses if not address.wants_token]

    def offers() -> dict[str | None, str]:
        found: dict[str | None, str] = {}
        for visit in Crawl(client_for(alice), most_alike=2).visits(starts):
            if visit.kind == "text/html" and visit.status == 200:
                found |= dict.fromkeys(offered_by(visit), visit.address)
        return {route: page for route, page in found.items() if route not in allowed}

    assert len(offers()) > 15, "the walk does not see what pages offer"
    settings.READ_ONLY = True
    assert offers() == {}
