"""The list's form and the plan pages, as a browser without scripts uses them."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client


class Form(dict[str, Any]):
    """What the list's form sends, as it stands on the page."""

    def __init__(self, client: Client, path: str = "/sessions/") -> None:
        text = client.get(path).content.decode()
        form = re.search(r'<form id="selection".*?</form>', text, re.DOTALL)
        assert form
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0])
        super().__init__({n: v.replace("&amp;", "&") for n, v in hidden if "csrf" not in n})
        self.rows = re.findall(r'name="row" value="([^"]+)"', text)
        self.text = form[0]


def text_of(client: Client, path: str, *, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def planned(client: Client, path: str = "/sessions/", **sent: Any) -> str:
    """The address of the plan of all rows of a page, as the list's form makes it."""
    form = Form(client, path)
    answer = client.post("/plans/new/", {**form, "row": form.rows, **sent})
    assert answer.status_code == 302, answer.content.decode()
    address: str = answer["Location"]
    return address


def digest_in(text: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', text)
    assert found
    return found[1]


def apply(client: Client, plan: str, **sent: str) -> Any:
    digest = digest_in(text_of(client, plan))
    return client.post(f"{plan}apply/", {"digest": digest, "reason": "tidy up", **sent})
