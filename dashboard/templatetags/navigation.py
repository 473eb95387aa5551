"""Which entry of the navigation the page that is shown belongs to."""

from __future__ import annotations

from django import template
from django.http import HttpRequest
from django.template.context import Context

register = template.Library()

_PAGES = {
    "overview": "overview",
    "checks": "checks check_rule check_acknowledge",
    "sessions": "sessions selected plans plan plan_make plan_again plan_apply",
    "stores": "stores store_sessions session session_edit session_edit_json session_act "
    "session_delete session_copy session_copy_whole session_change session_reveal "
    "session_versions version_restore session_transcript",
    "locks": "locks store_locks lock lock_clear",
    "latency": "latency store_latency",
    "migration": "migrations migrations_check migrations_run store_migration store_rollback "
    "store_migration_check store_migration_run store_rollback_check store_rollback_run "
    "store_export store_mirror",
    "backups": "backups backup backup_new retention retention_apply schedules schedule_add "
    "backup_verify backup_hold backup_download backup_delete backup_place backup_compare "
    "comparison comparison_place comparison_restore store_recover store_recover_run",
    "tidy": "tidy store_tidy tidy_check store_tidy_check tidy_reports store_tidy_reports "
    "tidy_schedules tidy_schedule_add tidy_policy tidy_plans tidy_plan tidy_exclude tidy_apply "
    "tidy_take_back",
    "incidents": "incidents incident incident_new incident_end incident_title incident_note",
    "jobs": "jobs job",
    "changes": "changes change change_undo job_undo",
    "audit": "audit audit_event audit_verify",
    "people": "users user user_new user_access user_active user_delete user_invite user_sso_add "
    "sign_ins failed_sign_ins tokens token_new token_rotate security settings",
}
#: The entry of each page, by the name of its address.
ENTRIES = {page: entry for entry, pages in _PAGES.items() for page in pages.split()}


@register.simple_tag(takes_context=True)
def navigation_entry(context: Context) -> str:
    """The entry that the page belongs to; empty for pages that stand for themselves."""
    request = context.get("request")
    match = request.resolver_match if isinstance(request, HttpRequest) else None
    return ENTRIES.get(match.url_name or "", "") if match else ""
