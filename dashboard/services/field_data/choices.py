"""Fields that a person chooses: names, toggles, models."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from dashboard.services.field_spec import FieldChoice, FieldSpec

_DEFAULT = _("the agent's default")
_BY_GATEWAY = _("The gateway writes it when it changes what it belongs to.")
_WITH_MODEL = _("It is written along with the model override.")

NAMES = (
    FieldSpec(
        "label",
        "text",
        _("Name given by a person; unique within a store"),
        more=_("Lists show it instead of the key."),
        section="name",
        unset=_("no label; the channel's own name or the key is shown"),
    ),
    FieldSpec(
        "displayName",
        "text",
        _("Name made by the channel"),
        why_not=_("The channel writes it again with its next message; give a label instead."),
    ),
    FieldSpec(
        "category",
        "text",
        _("Bucket chosen by a person"),
        more=_("Gateways from 2026.7 group their list by it."),
        section="name",
        unset=_("in no category"),
    ),
)

ANSWERS = (
    FieldSpec(
        "thinkingLevel",
        "choice",
        _("How much the model thinks"),
        choices=(
            FieldChoice("off", _("not at all")),
            FieldChoice("minimal", _("hardly")),
            FieldChoice("low", _("a little")),
            FieldChoice("medium", _("some")),
            FieldChoice("high", _("a lot")),
            FieldChoice("xhigh", _("even more; only models that support it")),
            FieldChoice("adaptive", _("the model decides")),
            FieldChoice("max", _("all it can; only models that support it")),
        ),
        section="answers",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "fastMode",
        "choice",
        _("Faster answers at the price of depth"),
        choices=(
            FieldChoice(True, _("on")),
            FieldChoice(False, _("off")),
            FieldChoice("auto", _("the gateway decides; from 2026.6")),
        ),
        section="answers",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "reasoningLevel",
        "choice",
        _("Whether reasoning is shown"),
        choices=(
            FieldChoice("off", _("not shown")),
            FieldChoice("on", _("shown as a message of its own")),
            FieldChoice("stream", _("shown while it is written, where the channel can")),
        ),
        section="answers",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "verboseLevel",
        "choice",
        _("How much is told along the way"),
        choices=(
            FieldChoice("off", _("only the answer")),
            FieldChoice("on", _("also which tools run")),
            FieldChoice("full", _("also what the tools return")),
        ),
        section="answers",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "traceLevel",
        "text",
        _("How much of the run is traced"),
        more=_("A word that the gateway knows, such as off or on."),
        longest=40,
        section="answers",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "responseUsage",
        "choice",
        _("Usage line under answers"),
        choices=(
            FieldChoice("off", _("no line, as when it is not set")),
            FieldChoice("tokens", _("the tokens that were used")),
            FieldChoice("full", _("everything that is known")),
            FieldChoice("on", _("older word for tokens")),
        ),
        section="answers",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "ttsAuto",
        "choice",
        _("When answers are spoken"),
        choices=(
            FieldChoice("off", _("never")),
            FieldChoice("always", _("always")),
            FieldChoice("inbound", _("after a spoken message")),
            FieldChoice("tagged", _("where the answer asks for it")),
        ),
        section="answers",
        unset=_DEFAULT,
    ),
)

MODEL = (
    FieldSpec(
        "providerOverride",
        "text",
        _("Provider chosen for this session"),
        more=_("Goes with the model: a provider alone chooses nothing."),
        longest=200,
        section="model",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "modelOverride",
        "text",
        _("Model chosen for this session"),
        more=_("It counts as chosen by a person, so a reset keeps it."),
        longest=200,
        section="model",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "modelOverrideSource",
        "choice",
        _("Who chose the model"),
        choices=(
            FieldChoice("user", _("a person; a reset keeps it")),
            FieldChoice("auto", _("a failover; a reset drops it")),
        ),
        why_not=_WITH_MODEL,
        follows="modelOverride",
    ),
    FieldSpec(
        "modelOverrideFallbackOriginProvider",
        "text",
        _("Provider before the fallback"),
        why_not=_WITH_MODEL,
        follows="modelOverride",
    ),
    FieldSpec(
        "modelOverrideFallbackOriginModel",
        "text",
        _("Model before the fallback"),
        why_not=_WITH_MODEL,
        follows="modelOverride",
    ),
    FieldSpec(
        "authProfileOverride",
        "text",
        _("Credentials profile chosen for this session"),
        why_not=_("The gateway knows which profiles there are, and chooses one with the model."),
        risk=_("Runs are then paid for and allowed by other credentials."),
    ),
    FieldSpec(
        "authProfileOverrideSource",
        "choice",
        _("Who chose the profile"),
        choices=(FieldChoice("user", _("a person")), FieldChoice("auto", _("the gateway"))),
        why_not=_BY_GATEWAY,
    ),
    FieldSpec(
        "authProfileOverrideCompactionCount",
        "count",
        _("Compactions when the profile was chosen"),
        why_not=_BY_GATEWAY,
    ),
    FieldSpec(
        "agentRuntimeOverride",
        "text",
        _("Runtime chosen for this session"),
        why_not=_("The gateway knows which runtimes there are."),
        risk=_("A runtime that is not installed makes every run fail."),
    ),
    FieldSpec("agentHarnessId", "id", _("Harness that runs the agent"), why_not=_BY_GATEWAY),
    FieldSpec(
        "liveModelSwitchPending",
        "flag",
        _("A model switch waits for the next turn"),
        why_not=_WITH_MODEL,
        follows="modelOverride",
    ),
)

CHOICES = (*NAMES, *ANSWERS, *MODEL)
