"""Which part of a transcript an address names."""

from __future__ import annotations

from django import forms

from .services.transcript_files import CURRENT, ID_LENGTH
from .services.transcript_reading import Wanted

_FARTHEST = 2**53


class PartForm(forms.Form):
    """One field per parameter; what is not valid is left out."""

    before = forms.IntegerField(required=False, min_value=0, max_value=_FARTHEST)
    after = forms.IntegerField(required=False, min_value=0, max_value=_FARTHEST)
    file = forms.RegexField(rf"\A(?:{CURRENT}|[0-9a-f]{{{ID_LENGTH}}})\Z", required=False)
    lines = forms.ChoiceField(required=False, choices=[("branch", "branch"), ("all", "all")])

    def wanted(self) -> Wanted:
        """What is asked for."""
        self.is_valid()
        read = self.cleaned_data
        return Wanted(
            before=read.get("before"),
            after=None if read.get("before") is not None else read.get("after"),
            file=read.get("file") or CURRENT,
            all_lines=read.get("lines") == "all",
        )
