"""Fields that a person chooses: sending, commands, queues."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from dashboard.services.field_spec import FieldChoice, FieldSpec

_DEFAULT = _("the agent's default")
_MACHINE = _("It decides what the agent may run on machines.")

POLICIES = (
    FieldSpec(
        "sendPolicy",
        "choice",
        _("Whether answers may be sent"),
        choices=(
            FieldChoice("allow", _("answers are sent")),
            FieldChoice("deny", _("nothing is sent")),
        ),
        section="sending",
        unset=_("as the agent's rules say"),
    ),
    FieldSpec(
        "groupActivation",
        "choice",
        _("When a group gets an answer"),
        more=_("It counts in groups only."),
        choices=(
            FieldChoice("mention", _("when the agent is mentioned")),
            FieldChoice("always", _("after every message")),
        ),
        section="sending",
        unset=_("as the channel's settings say"),
    ),
    FieldSpec(
        "groupActivationNeedsSystemIntro",
        "flag",
        _("The group still needs its introduction"),
        why_not=_("The gateway writes it when it changes what it belongs to."),
    ),
    FieldSpec(
        "elevatedLevel",
        "choice",
        _("Whether elevated commands are allowed"),
        choices=(
            FieldChoice("off", _("commands stay where execHost says")),
            FieldChoice("on", _("on the gateway's machine, with approval")),
            FieldChoice("ask", _("on the gateway's machine, asking each time")),
            FieldChoice("full", _("on the gateway's machine, without asking")),
        ),
        section="commands",
        unset=_DEFAULT,
        caution=_MACHINE,
    ),
    FieldSpec(
        "execHost",
        "choice",
        _("Where commands run"),
        choices=(
            FieldChoice("sandbox", _("in the sandbox")),
            FieldChoice("gateway", _("on the gateway's machine")),
            FieldChoice("node", _("on the node that execNode names")),
        ),
        section="commands",
        unset=_DEFAULT,
        caution=_MACHINE,
    ),
    FieldSpec(
        "execSecurity",
        "choice",
        _("Which commands may run"),
        choices=(
            FieldChoice("deny", _("none")),
            FieldChoice("allowlist", _("those on the allow list")),
            FieldChoice("full", _("all")),
        ),
        section="commands",
        unset=_DEFAULT,
        caution=_MACHINE,
    ),
    FieldSpec(
        "execAsk",
        "choice",
        _("When to ask before a command"),
        choices=(
            FieldChoice("off", _("never")),
            FieldChoice("on-miss", _("when it is not on the allow list")),
            FieldChoice("always", _("always")),
        ),
        section="commands",
        unset=_DEFAULT,
        caution=_MACHINE,
    ),
    FieldSpec(
        "execNode",
        "id",
        _("Node that runs commands"),
        more=_("It counts with execHost node only."),
        longest=200,
        section="commands",
        unset=_("no particular node"),
        caution=_MACHINE,
    ),
    FieldSpec(
        "queueMode",
        "choice",
        _("What a message does while a run is on"),
        choices=(
            FieldChoice("steer", _("it is handed to the run")),
            FieldChoice("followup", _("it waits, and is answered next")),
            FieldChoice("collect", _("it waits, and all that wait are answered together")),
            FieldChoice("interrupt", _("it stops the run, and is answered")),
            FieldChoice("steer-backlog", _("handed to the run and kept; up to 2026.4")),
            FieldChoice("steer+backlog", _("the same, written otherwise; up to 2026.4")),
            FieldChoice("queue", _("older word; up to 2026.4")),
        ),
        section="queue",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "queueDebounceMs",
        "milliseconds",
        _("Quiet time before a run starts"),
        most=3_600_000,
        section="queue",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "queueCap",
        "count",
        _("Most messages in the queue"),
        least=1,
        most=10_000,
        section="queue",
        unset=_DEFAULT,
    ),
    FieldSpec(
        "queueDrop",
        "choice",
        _("What goes when the queue is full"),
        choices=(
            FieldChoice("old", _("the oldest message")),
            FieldChoice("new", _("the newest message")),
            FieldChoice("summarize", _("the oldest, of which a summary stays")),
        ),
        section="queue",
        unset=_DEFAULT,
    ),
)
