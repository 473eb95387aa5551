"""Forms about other people's accounts and invite links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import SetPasswordForm, UsernameField
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.functional import lazystr
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from .people.changes import Access

if TYPE_CHECKING:
    PasswordForm = SetPasswordForm[User]
else:
    PasswordForm = SetPasswordForm

ROLE_WORDS = {
    "viewer": lazy("Viewer: sees sessions, changes nothing"),
    "operator": lazy("Operator: edits, archives and tidies sessions"),
    "admin": lazy("Admin: also deletes, and manages people and tokens"),
}
_ALL, _SOME = "all", "some"
_MOST_AGENTS = 200
_LONGEST_AGENT = 300


class AccessForm(forms.Form):
    """A role and agents. ``known`` are the agents there are; others can be typed in."""

    role = forms.ChoiceField(label=lazy("Role"), choices=list(ROLE_WORDS.items()))
    reach = forms.ChoiceField(
        label=lazy("Agents"),
        choices=[(_ALL, lazy("All agents, also ones to come")), (_SOME, lazy("Only these:"))],
        initial=_ALL,
    )
    agents = forms.MultipleChoiceField(label=lazy("Agents"), required=False)
    more_agents = forms.CharField(
        label=lazy("Other agents, one per line"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, known: list[str], **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.known = known
        field = self.fields["agents"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(name, name) for name in known]

    @staticmethod
    def initial_of(access: Access, known: list[str]) -> dict[str, Any]:
        """What the form shows for an account as it is."""
        agents = access.agents or frozenset()
        return {
            "role": access.role or "viewer",
            "reach": _ALL if access.agents is None else _SOME,
            "agents": sorted(agents & set(known)),
            "more_agents": "\n".join(sorted(agents - set(known))),
        }

    def clean_more_agents(self) -> list[str]:
        """Split the lines; names are kept as they are typed but for the space around them."""
        typed: str = self.cleaned_data["more_agents"]
        names = [line.strip() for line in typed.splitlines() if line.strip()]
        if any(len(name) > _LONGEST_AGENT or not name.isprintable() for name in names):
            raise ValidationError(_("One of these lines cannot be the name of an agent."))
        if len(names) > _MOST_AGENTS:
            raise ValidationError(_("At most %d agents can be named here.") % _MOST_AGENTS)
        return names

    @property
    def access(self) -> Access:
        """What the valid form asks for. "Only these" with none chosen means no agent at all."""
        role = self.cleaned_data["role"]
        if self.cleaned_data["reach"] == _ALL or role == "admin":
            return Access(role, None)
        return Access(
            role, frozenset((*self.cleaned_data["agents"], *self.cleaned_data["more_agents"]))
        )


class NewPersonForm(AccessForm):
    """A new account: its name, what it may do, and whether it gets a link or a password."""

    username = UsernameField(label=lazy("Name"), max_length=150)
    start = forms.ChoiceField(
        label=lazy("First sign-in"),
        choices=[
            ("invite", lazy("By a link that works once, for a day: they choose the password")),
            ("password", lazy("By a password that I set now")),
        ],
        initial="invite",
    )
    password1 = forms.CharField(
        label=lazy("Password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=lazystr(password_validation.password_validators_help_text_html()),
    )
    password2 = forms.CharField(
        label=lazy("Password again"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_username(self) -> str:
        """Refuse a name that another account has, case aside, or that accounts cannot have."""
        name: str = self.cleaned_data["username"]
        User._meta.get_field("username").run_validators(name)
        if User.objects.filter(username__iexact=name).exists():
            raise ValidationError(_("There is an account of this name already."))
        return name

    def clean(self) -> dict[str, Any]:
        """Ask for a good password, twice the same, where one is set here."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("start") != "password":
            return cleaned
        password = cleaned.get("password1", "")
        if not password:
            self.add_error("password1", _("Type a password, or choose the link."))
        elif password != cleaned.get("password2"):
            self.add_error("password2", _("The two passwords are not the same."))
        else:
            self._check_password(password, cleaned.get("username", ""))
        return cleaned

    def _check_password(self, password: str, username: str) -> None:
        try:
            password_validation.validate_password(password, User(username=username))
        except ValidationError as error:
            self.add_error("password1", error)

    @property
    def password(self) -> str | None:
        """The password that was set; None for a link."""
        return self.cleaned_data["password1"] if self.cleaned_data["start"] == "password" else None


class InviteForm(PasswordForm):
    """The choice of a password by an invite link."""

    token = forms.CharField(max_length=200, widget=forms.HiddenInput)
