"""Forms about API tokens and single sign-on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from . import roles, scope, sso, tokens
from .forms_people import ROLE_WORDS
from .models import SsoName


class TokenForm(forms.Form):
    """A new API token. ``owner`` is the person whom it stands for."""

    name = forms.CharField(
        label=lazy("What it is for"),
        max_length=100,
        help_text=lazy("Shown in lists and in the audit."),
    )
    role = forms.ChoiceField(label=lazy("Role"))
    agents = forms.MultipleChoiceField(
        label=lazy("Only these agents"),
        required=False,
        help_text=lazy("With none chosen, the token reaches all that its owner may see."),
    )
    days = forms.IntegerField(
        label=lazy("Days until it expires"),
        min_value=1,
        max_value=tokens.LONGEST.days,
        initial=tokens.USUAL.days,
    )

    def __init__(self, *args: Any, owner: User, known: list[str], **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        own_role = roles.role_of(owner)
        self.own_agents = roles.agents_of(owner, own_role)
        role, agents = self.fields["role"], self.fields["agents"]
        assert isinstance(role, forms.ChoiceField)
        assert isinstance(agents, forms.MultipleChoiceField)
        role.choices = [
            (name, words) for name, words in ROLE_WORDS.items() if roles.includes(own_role, name)
        ]
        names = known if self.own_agents is None else sorted(self.own_agents)
        agents.choices = [(name, name) for name in names]

    def clean_name(self) -> str:
        """Refuse names that could disguise themselves."""
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise ValidationError(_("A name has no control characters."))
        return name

    @property
    def agents_chosen(self) -> scope.Agents:
        """The agents of the valid form; None for all that the owner may see."""
        chosen = self.cleaned_data["agents"]
        return frozenset(chosen) if chosen else None

    @property
    def lifetime(self) -> timedelta:
        """How long the valid form's token is to live."""
        return timedelta(days=self.cleaned_data["days"])


class SsoNameForm(forms.Form):
    """A name that the proxy asserts, to be mapped to one account."""

    name = forms.CharField(
        label=lazy("Name that the proxy sends"),
        max_length=sso.LONGEST_NAME,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=lazy("Compared character by character: case and spaces count."),
    )

    def clean_name(self) -> str:
        """Refuse names that no header can carry safely, and names that are taken."""
        name: str = self.cleaned_data["name"]
        if not sso.is_name(name) or name != name.strip():
            raise ValidationError(
                _("A name has no comma, no control characters, and no space around it.")
            )
        if SsoName.objects.filter(name=name).exists():
            raise ValidationError(_("This name is mapped to an account already."))
        return name
