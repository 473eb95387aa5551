"""One field of the edit form: how its value is written there, and how what comes back is read.

A value that its control cannot carry unchanged (another kind, line breaks, characters that are not
visible) is not put into the control: "keep it as it is" is a choice of its own then, and the
default. So a form that nobody touched never changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.editing import ABSENT

from .change_records import value_text
from .edit_opened import Seen
from .entry_rules import error_of
from .field_spec import FieldSpec, Text
from .tree import visible

KEEP = "="
"""The choice of a select that leaves the value as it is."""
NOW = "now"
"""The choice that sets a time to now."""


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a select."""

    value: str
    text: str
    words: Text = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """One field, finished for the form. ``kind`` is choice, text, number or masked.

    ``kept`` shows the value that is there where the control cannot carry it; ``keeps`` says that it
    is to stay. ``seen_at_ms`` is the time behind the choice to keep it.
    """

    spec: FieldSpec
    kind: str
    text: str = ""
    options: tuple[Option, ...] = ()
    kept: str = ""
    keeps: bool = False
    seen_at_ms: int | None = None
    error: str = ""
    asked: bool = False
    focus: bool = False

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def field(self) -> str:
        """Its name in what is posted."""
        return field_of(self.spec.name)

    @property
    def keep_field(self) -> str:
        return keep_field_of(self.spec.name)


def field_of(name: str) -> str:
    """The name of a control."""
    return f"f-{name}"


def keep_field_of(name: str) -> str:
    """The name of the checkbox that keeps a value."""
    return f"k-{name}"


def is_stamp(spec: FieldSpec) -> bool:
    """Whether it is a time that people only set to now."""
    return spec.kind == "time"


def written(spec: FieldSpec, seen: Seen) -> str | None:
    """A value as its control has it; None when the control cannot carry it."""
    value = seen.value
    if seen.digest:
        return KEEP if spec.choices or is_stamp(spec) else None
    if value is ABSENT:
        return ""
    if spec.choices:
        same = (c for c in spec.choices if type(c.value) is type(value) and c.value == value)
        choice = next(same, None)
        return KEEP if choice is None else choice.text
    if is_stamp(spec):
        return KEEP
    if spec.is_whole:
        is_plain = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if is_plain and abs(value) < 2**63 else None
    if not isinstance(value, str) or value == "" or "\n" in value:
        return None
    return value if visible(value) == value and len(value) <= spec.longest else None


def read(spec: FieldSpec, text: str, *, now_ms: int) -> Any:
    """The value that a control's text stands for; :data:`ABSENT` for "not set".

    Raises:
        ValueError: it is none; the text is the sentence for the person.
    """
    text = text.strip()
    if text == "":
        return ABSENT
    value: Any = text
    if spec.choices:
        value = next((choice.value for choice in spec.choices if choice.text == text), text)
    elif is_stamp(spec):
        value = now_ms if text == NOW else text
    elif spec.is_whole:
        value = _whole(text)
    elif visible(text) != text or "\n" in text:
        raise ValueError(_("It holds characters that cannot be seen, such as line breaks."))
    if said := error_of(spec.name, value):
        raise ValueError(said)
    return value


def _whole(text: str) -> int | str:
    digits = text.replace(",", "").replace(" ", "")
    try:
        return int(digits) if len(digits) < 30 else text
    except ValueError:
        return text


def control_of(spec: FieldSpec, seen: Seen, *, text: str | None, keeps: bool | None) -> Control:
    """A field as the form shows it; ``text`` and ``keeps`` are what was posted, if it was."""
    if seen.masked and text is None:
        return Control(spec, "masked")
    before = written(spec, seen)
    typed = before or "" if text is None else text
    if spec.choices or is_stamp(spec):
        options = _options(spec, seen, typed, before)
        return Control(spec, "choice", typed, options, seen_at_ms=_time(spec, seen))
    kind = "number" if spec.is_whole else "text"
    if before is not None:
        return Control(spec, kind, typed)
    return Control(
        spec,
        kind,
        typed,
        kept=shown_value(spec, seen),
        keeps=True if keeps is None and text is None else bool(keeps),
    )


def _options(spec: FieldSpec, seen: Seen, typed: str, before: str | None) -> tuple[Option, ...]:
    choices = [Option("", _("not set"), spec.unset)]
    choices += [Option(choice.text, choice.text, choice.words) for choice in spec.choices]
    if is_stamp(spec):
        choices.append(Option(NOW, _("now"), _("the time of saving")))
    if before == KEEP:
        words = "" if is_stamp(spec) else _("the value that is there")
        choices.insert(1, Option(KEEP, shown_value(spec, seen), words))
    if typed not in {choice.value for choice in choices}:
        choices.append(Option(typed, visible(typed[:100])))
    return tuple(
        Option(choice.value, choice.text, choice.words, choice.value == typed) for choice in choices
    )


def _time(spec: FieldSpec, seen: Seen) -> int | None:
    value = seen.value
    if is_stamp(spec) and isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if abs(value) < 2**53 else None
    return None


def shown_value(spec: FieldSpec, seen: Seen) -> str:
    """A seen value in one line, masked."""
    if seen.masked:
        return _("masked")
    if seen.digest:
        return _("a long value")
    return value_text(seen.value, name=spec.name)
