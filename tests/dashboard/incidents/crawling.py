"""Follow every link of the console and read every form, so that new pages are tested unasked."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from django.test import Client
from django.urls import Resolver404, resolve

#: Signing out would end the walk, and files are not pages.
NOT_FOLLOWED = frozenset({"logout", "favicon"})
_LINKS = ("href", "hx-get", "formaction", "action")


@dataclass(frozen=True, slots=True)
class Form:
    """One form: where it goes, and its fields as name, kind and value."""

    action: str
    method: str
    fields: tuple[tuple[str, str, str], ...]

    @property
    def path(self) -> str:
        """The address without its query."""
        return self.action.partition("?")[0]


@dataclass
class Page(HTMLParser):
    """What is in a page: its links, forms, and every element with its attributes."""

    address: str
    links: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._form: tuple[str, str, list[tuple[str, str, str]]] | None = None
        self._open: str | None = None
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if given.get("method", "get").lower() == "get":
            self.links += [given[name] for name in _LINKS if given.get(name)]
        if tag == "form":
            method = given.get("method", "get").lower()
            self._form = (urljoin(self.address, given.get("action", "")), method, [])
        elif tag in {"textarea", "select"}:
            self._open, self._text = given.get("name"), None
        elif tag == "option" and self._open and ("selected" in given or self._text is None):
            self._text = given.get("value", "")
        elif tag in {"input", "button"} and given.get("name"):
            kind = given.get("type", "text" if tag == "input" else "submit")
            if kind not in {"checkbox", "radio"} or "checked" in given:
                self._add(given["name"], kind, given.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._open is not None and self.elements[-1][0] == "textarea":
            self._text = (self._text or "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag in {"textarea", "select"} and self._open:
            # The first line break of a text area belongs to the markup.
            self._add(self._open, tag, (self._text or "").removeprefix("\n"))
            self._open = None
        if tag == "form" and self._form is not None:
            action, method, fields = self._form
            self.forms.append(Form(action, method, tuple(fields)))
            self._form = None

    def _add(self, name: str, kind: str, value: str) -> None:
        if self._form is not None:
            self._form[2].append((name, kind, value))


@dataclass(frozen=True, slots=True)
class Visit:
    """One answer: the address, whether a part was asked for, and all of the body."""

    address: str
    name: str
    is_part: bool
    status: int
    kind: str
    body: str

    @property
    def page(self) -> Page:
        """The body read as HTML."""
        page = Page(self.address)
        page.feed(self.body)
        page.close()
        return page


class Crawl:
    """A walk along links as one person.

    Of each route, and of each parameter and tab of it, at most ``most_alike`` addresses are opened;
    of routes named in ``whole`` every one.
    """

    def __init__(
        self, client: Client, *, most_alike: int = 3, whole: frozenset[str] = frozenset()
    ) -> None:
        self._client = client
        self._most_alike = most_alike
        self._whole = whole
        self._alike: Counter[str] = Counter()
        self._seen: set[str] = set()

    def visits(self, starts: Iterable[str]) -> Iterator[Visit]:
        """Open the addresses and everything that they lead to, each as page and as part."""
        waiting = deque(starts)
        while waiting:
            address = waiting.popleft()
            name = self._wanted(address)
            if name is None:
                continue
            visit = self.open(address, name)
            yield visit
            if visit.kind == "text/html" and visit.status == 200:
                page = visit.page
                waiting.extend(urljoin(address, link) for link in page.links)
                yield self.open(address, name, is_part=True)

    def open(self, address: str, name: str, *, is_part: bool = False) -> Visit:
        """Ask for one address."""
        headers = {"HX-Request": "true"} if is_part else {}
        answer: Any = self._client.get(address, headers=headers)
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        body = answer.getvalue().decode("utf-8", "replace")
        return Visit(address, name, is_part, answer.status_code, kind, body)

    def _wanted(self, address: str) -> str | None:
        """The route's name, unless the address is known, elsewhere, or one of many alike."""
        parts = urlsplit(address)
        plain = parts._replace(fragment="").geturl()
        if parts.netloc or plain in self._seen:
            return None
        self._seen.add(plain)
        name = route_of(parts.path)
        if name is None or name in NOT_FOLLOWED:
            return None
        given = parse_qsl(parts.query, keep_blank_values=True)
        shapes = [f"{name}?{key}={value if key == 'tab' else ''}" for key, value in given] or [name]
        is_new = [self._alike[shape] < self._most_alike for shape in shapes]
        self._alike.update(shapes)
        return name if any(is_new) or name in self._whole else None


def route_of(path: str) -> str | None:
    """The name of the route behind a path, None where there is none."""
    try:
        return resolve(path).url_name
    except Resolver404:
        return None
