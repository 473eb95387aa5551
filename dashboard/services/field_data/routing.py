"""Fields that say where a conversation takes place and where answers go."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from dashboard.services.field_spec import FieldChoice, FieldSpec

_CHANNEL = _("The channel writes it again with every message.")
_DELIVERY = _("The channel writes it; a wrong value sends answers to somebody else.")
_MISDIRECTS = _("Answers may go to somebody else.")
_RECOVERY = _("The gateway needs it to deliver an answer after a restart.")
_TWICE = _("An answer may get lost, or be sent twice.")

ROUTING = (
    FieldSpec(
        "chatType",
        "choice",
        _("Kind of conversation"),
        choices=(
            FieldChoice("direct", _("with one person")),
            FieldChoice("group", _("with a group")),
            FieldChoice("channel", _("in a channel or room")),
        ),
        why_not=_CHANNEL,
    ),
    FieldSpec("channel", "text", _("Messaging channel"), why_not=_DELIVERY, risk=_MISDIRECTS),
    FieldSpec("groupId", "id", _("Group on that channel"), why_not=_DELIVERY, risk=_MISDIRECTS),
    FieldSpec("subject", "text", _("Group's subject"), why_not=_CHANNEL),
    FieldSpec("groupChannel", "text", _("Room or channel inside the group"), why_not=_CHANNEL),
    FieldSpec("space", "text", _("Space or server that the room is in"), why_not=_CHANNEL),
    FieldSpec(
        "origin",
        "group",
        _("Where the conversation came from"),
        types=("object",),
        why_not=_CHANNEL,
        risk=_MISDIRECTS,
    ),
    FieldSpec(
        "deliveryContext",
        "group",
        _("Where answers go"),
        types=("object",),
        why_not=_DELIVERY,
        risk=_MISDIRECTS,
    ),
    FieldSpec(
        "lastChannel",
        "text",
        _("Channel that answers went to last"),
        why_not=_DELIVERY,
        risk=_MISDIRECTS,
    ),
    FieldSpec(
        "lastTo",
        "id",
        _("Recipient that answers went to last"),
        why_not=_DELIVERY,
        risk=_MISDIRECTS,
    ),
    FieldSpec(
        "lastAccountId",
        "id",
        _("Own account that was used last"),
        why_not=_DELIVERY,
        risk=_MISDIRECTS,
    ),
    FieldSpec(
        "lastThreadId",
        "id",
        _("Thread that was used last"),
        types=("string", "integer"),
        why_not=_DELIVERY,
        risk=_MISDIRECTS,
    ),
    FieldSpec(
        "route",
        "group",
        _("Route of the conversation"),
        types=("object",),
        why_not=_DELIVERY,
        risk=_MISDIRECTS,
    ),
    FieldSpec(
        "pendingFinalDelivery",
        "group",
        _("An answer that was not delivered yet"),
        types=("object", "array", "string", "number", "boolean"),
        why_not=_RECOVERY,
        risk=_TWICE,
    ),
    FieldSpec(
        "restartRecoveryDeliveryContext",
        "group",
        _("Where to deliver after a restart"),
        types=("object",),
        why_not=_RECOVERY,
        risk=_TWICE,
    ),
    FieldSpec(
        "restartRecoveryDeliveryRunId",
        "id",
        _("Run to deliver after a restart"),
        why_not=_RECOVERY,
        risk=_TWICE,
    ),
    FieldSpec(
        "ambientTranscriptWatermarks",
        "group",
        _("How far each channel was read"),
        types=("object",),
        why_not=_CHANNEL,
    ),
)
