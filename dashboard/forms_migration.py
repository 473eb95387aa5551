"""What may stand in the addresses of migrations, and what their forms send."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

_DIGEST = re.compile(r"[0-9a-f]{16,64}")
_STORE = re.compile(r"[0-9a-f]{12}")


class ReasonField(forms.CharField):
    """Why something is done: kept in the audit."""

    def __init__(self) -> None:
        super().__init__(
            max_length=500, error_messages={"required": lazy("Say why; it is kept in the audit.")}
        )


class MigrateForm(forms.Form):
    """Starting a migration of one store."""

    digest = forms.RegexField(_DIGEST, max_length=64)
    reason = ReasonField()
    guard = forms.BooleanField(required=False)
    understood = forms.BooleanField(required=False)

    def __init__(
        self,
        query: QueryDict | None = None,
        *,
        must_choose: bool = False,
        guard_first: bool = False,
    ) -> None:
        super().__init__(query)
        self.must_choose = must_choose
        self._guard_first = guard_first

    @property
    def guard_is_on(self) -> bool:
        """Whether the box is ticked: as it was sent, and at first where OpenClaw was found."""
        return bool(self.data.get("guard")) if self.is_bound else self._guard_first

    def clean_understood(self) -> bool:
        understood = bool(self.cleaned_data["understood"])
        if self.must_choose and not understood:
            raise forms.ValidationError(_("Say that you have read who reads this store."))
        return understood


class MigrateManyForm(MigrateForm):
    """Starting a migration of several stores: their ids, and the digests of their previews."""

    digest = None  # type: ignore[assignment]

    @property
    def stores(self) -> tuple[str, ...]:
        """The ids that were ticked."""
        return tuple(dict.fromkeys(s for s in self._list() if _STORE.fullmatch(s)))

    @property
    def digests(self) -> Mapping[str, str]:
        """What the previews of these were called when the page was made."""
        sent = {store_id: str(self.data.get(f"digest-{store_id}", "")) for store_id in self.stores}
        return {store_id: digest for store_id, digest in sent.items() if _DIGEST.fullmatch(digest)}

    def _list(self) -> Iterable[str]:
        return self.data.getlist("store") if isinstance(self.data, QueryDict) else ()


class UndoMigrationForm(forms.Form):
    """Undoing one: the store's name has to be typed."""

    digest = forms.RegexField(_DIGEST, max_length=64)
    reason = ReasonField()
    name = forms.CharField(
        max_length=400, error_messages={"required": lazy("Type the name of the store.")}
    )

    def __init__(self, query: QueryDict | None = None, *, expected: str = "") -> None:
        super().__init__(query)
        self._expected = expected

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if name != self._expected:
            raise forms.ValidationError(_("This is not the name of the store."))
        return name


class ReasonForm(forms.Form):
    """A step that asks for nothing but why."""

    reason = ReasonField()
