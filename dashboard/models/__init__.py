"""The console's own tables: never anything about the sessions themselves."""

from .access import AgentScope, ApiToken, Invite, SignIn, SsoName
from .accounts import SetupToken
from .audit import AuditEvent, AuditHead
from .changes import Change, Plan
from .jobs import Job, JobItem

__all__ = [
    "AgentScope",
    "ApiToken",
    "AuditEvent",
    "AuditHead",
    "Change",
    "Invite",
    "Job",
    "JobItem",
    "Plan",
    "SetupToken",
    "SignIn",
    "SsoName",
]
