"""The console's own tables: never anything about the sessions themselves."""

from .accounts import SetupToken
from .audit import AuditEvent, AuditHead

__all__ = ["AuditEvent", "AuditHead", "SetupToken"]
