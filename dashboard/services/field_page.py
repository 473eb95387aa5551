"""``docs/fields.md``: the field table as a page. ``manage.py field_page`` writes it."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import override

from .field_spec import KINDS, FieldSpec
from .field_table import FIELDS, GROUPS

_HEAD = """\
# Fields of a session entry

Written by `manage.py field_page` from the field table of the console, which also makes the edit
form, its help texts and the check of every value that is written. A field that is not listed is
kept as it is, and may have any value.

*Form* says what operators may change. Everything else can be changed by admins as raw JSON, within
the values that are expected here; what that can do is under *Risk*.
"""


def field_page() -> str:
    """The whole page, in English."""
    with override("en"):
        return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for group, title in GROUPS:
        specs = [spec for spec in FIELDS.values() if spec.group == group]
        if specs:
            yield f"## {title}\n"
            yield "| Field | Holds | Meaning | Form |"
            yield "| --- | --- | --- | --- |"
            yield from (_row(spec) for spec in specs)
            yield ""


def _row(spec: FieldSpec) -> str:
    cells = (f"`{spec.name}`", _holds(spec), _meaning(spec), _form(spec))
    return f"| {' | '.join(cells)} |"


def _holds(spec: FieldSpec) -> str:
    if spec.choices:
        return "; ".join(f"`{choice.text}` {choice.words}" for choice in spec.choices)
    if spec.section and spec.is_whole and spec.kind != "time":
        return f"{KINDS[spec.kind]}, {spec.least:,} to {spec.most:,}"
    if spec.section and spec.is_text:
        return f"{KINDS[spec.kind]}, at most {spec.longest} characters"
    return str(KINDS[spec.kind])


def _meaning(spec: FieldSpec) -> str:
    sentences = [f"{spec.words}."]
    if spec.more:
        sentences.append(str(spec.more))
    if spec.caution:
        sentences.append(str(spec.caution))
    if spec.risk:
        sentences.append(f"Risk: {spec.risk}")
    return " ".join(sentences)


def _form(spec: FieldSpec) -> str:
    return f"yes; not set: {spec.unset}" if spec.section else f"no. {spec.why_not}"
