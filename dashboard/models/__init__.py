"""The console's own tables: never anything about the sessions themselves."""

from .access import AgentScope, ApiToken, Invite, SignIn, SsoName
from .accounts import SetupToken
from .api import ApiUse
from .audit import AuditEvent, AuditHead
from .backups import BackupSchedule
from .changes import Change, Plan
from .checks import Acknowledgement, Alert, AlertDelivery, CheckState, Threshold
from .incidents import Incident, IncidentNote, IncidentStore
from .jobs import Chore, Job, JobItem, JobRunner, JobStore
from .migration import StorePlan, StorePlanSession
from .tidying import TidyFinding, TidyItem, TidyPlan, TidyReport, TidySchedule

__all__ = [
    "Acknowledgement",
    "AgentScope",
    "Alert",
    "AlertDelivery",
    "ApiToken",
    "ApiUse",
    "AuditEvent",
    "AuditHead",
    "BackupSchedule",
    "Change",
    "CheckState",
    "Chore",
    "Incident",
    "IncidentNote",
    "IncidentStore",
    "Invite",
    "Job",
    "JobItem",
    "JobRunner",
    "JobStore",
    "Plan",
    "SetupToken",
    "SignIn",
    "SsoName",
    "StorePlan",
    "StorePlanSession",
    "Threshold",
    "TidyFinding",
    "TidyItem",
    "TidyPlan",
    "TidyReport",
    "TidySchedule",
]
