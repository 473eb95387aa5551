"""Forms about one's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import accounts

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    UserForm = UserCreationForm[User]
else:
    UserForm = UserCreationForm


class FirstAdminForm(UserForm):
    """The token from the first start, and the account it makes."""

    token = forms.CharField(
        label=_("One-time token"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("It was printed where the console was started."),
    )
    field_order = ("token", "username", "password1", "password2")

    def clean_token(self) -> str:
        """Refuse a token that would not be accepted; it is checked again when it is used up."""
        token: str = self.cleaned_data["token"]
        if not accounts.is_setup_token(token, timezone.now()):
            raise forms.ValidationError(
                _("This token is wrong, used or expired. “manage.py setup_link” prints a new one.")
            )
        return token
