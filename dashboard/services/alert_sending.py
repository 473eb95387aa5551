"""Send one alert to one target: by HTTP, signed, or by mail.

Directly, never by a proxy of the environment; no redirect is followed; certificates are checked;
nothing of the answer is kept but its status. What is sent holds no session key.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import smtplib
import time
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext as _

from dashboard.logs import plain_text
from dashboard.models import Alert

from . import alert_deadline
from .alert_targets import MAIL, Target
from .check_titles import title_of
from .thresholds import RULES

TIMEOUT_S = 10.0
"""How long the other side may be silent."""
TOTAL_S = 30.0
"""How long a sending may take in all, from the connection on."""
_SMTP = "dashboard.services.alert_deadline.Mail"


class DeliveryError(Exception):
    """It did not arrive, as far as we know; the message names no address."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = urllib.request.OpenerDirector()
for _handler in (
    alert_deadline.HTTPHandler(),
    alert_deadline.HTTPSHandler(),
    urllib.request.HTTPDefaultErrorHandler(),
    urllib.request.HTTPErrorProcessor(),
    _NoRedirect(),
):
    _opener.add_handler(_handler)


def send(target: Target, alert: Alert) -> None:
    """Send it and wait until the other side has taken it.

    Raises:
        DeliveryError: it refused, did not answer in time, or could not be reached.
    """
    with alert_deadline.within(TOTAL_S) as deadline:
        try:
            if target.kind == MAIL:
                _mail(alert)
            else:
                _post(target, json.dumps(content_of(alert)).encode(), alert)
        except DeliveryError:
            if not deadline.is_over:
                raise
        if deadline.is_over:  # an answer that was cut off may look like a whole one
            raise DeliveryError(_("It did not finish in %d seconds.") % TOTAL_S)


def content_of(alert: Alert) -> dict[str, str]:
    """What a receiver gets. Every text was masked when the alert was raised."""
    anchor = f"#rule-{alert.check_name}" if alert.check_name in RULES else ""
    return {
        "id": alert.uid,
        "about": alert.about,
        "kind": alert.kind,
        "check": alert.check_name,
        "title": title_of(alert.check_name),
        "agent": alert.agent,
        "state": alert.state,
        "sentence": alert.sentence,
        "at": alert.at.isoformat(timespec="milliseconds"),
        "environment": settings.ENVIRONMENT_NAME,
        "link": f"{settings.CONSOLE_URL}/checks/{anchor}",
    }


def signature_of(secret: str, at_s: int, body: bytes) -> str:
    """The header by which a receiver knows who sent it: the time, and an HMAC of time and body."""
    signed = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return f"t={at_s},v1={signed.hexdigest()}"


def _post(target: Target, body: bytes, alert: Alert) -> None:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "sessionstore",
        "X-Sessionstore-Id": alert.uid,
    }
    if settings.ALERT_SECRET:
        signature = signature_of(settings.ALERT_SECRET, int(time.time()), body)
        headers["X-Sessionstore-Signature"] = signature
    request = urllib.request.Request(target.address, body, headers, method="POST")  # noqa: S310 http(s) only, by settings
    try:
        with _opener.open(request, timeout=TIMEOUT_S):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise DeliveryError(_("It answered with status %d.") % error.code) from None
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryError(_why(error)) from None


def _why(error: BaseException) -> str:
    """What went wrong, in words that hold no part of the address."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return _("It did not answer in %d seconds.") % TIMEOUT_S
    if isinstance(reason, ConnectionRefusedError):
        return _("Nothing listens there.")
    return _("It could not be reached (%s).") % type(reason).__name__


def _mail(alert: Alert) -> None:
    content = content_of(alert)
    words = {"bad": _("Bad"), "clear": _("Over"), "test": _("Test")}
    place = " ".join(part for part in (settings.ENVIRONMENT_NAME, alert.agent) if part)
    subject = f"[sessionstore] {words.get(alert.kind, alert.kind)}: {content['title']} {place}"
    lines = [alert.sentence, "", *(f"{name}: {value}" for name, value in content.items() if value)]
    message = EmailMessage(
        plain_text(subject, longest=200).strip(),
        "\n".join(lines) + "\n",
        settings.DEFAULT_FROM_EMAIL,
        list(settings.ALERT_MAIL),
        connection=get_connection(_SMTP, fail_silently=False),
        headers={
            "Message-ID": f"<{alert.uid}@sessionstore.invalid>",
            "Auto-Submitted": "auto-generated",
            "X-Sessionstore-Id": alert.uid,
        },
    )
    try:
        message.send()
    except smtplib.SMTPResponseException as error:
        raise DeliveryError(_("The mail server answered with %d.") % error.smtp_code) from None
    except smtplib.SMTPRecipientsRefused:
        raise DeliveryError(_("The mail server refused the recipients.")) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(_why(error)) from None
