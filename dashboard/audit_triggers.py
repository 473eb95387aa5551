"""Triggers by which the database itself refuses to change or remove audit events.

SQLite drops a table's triggers when a migration rebuilds the table: a migration that alters
AuditEvent must end with :func:`install` again.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_TABLE = "dashboard_auditevent"
_MESSAGE = "audit events are append-only"

_SQLITE = [
    *(
        f"CREATE TRIGGER audit_no_{verb} BEFORE {verb} ON {_TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
        for verb in ("update", "delete")
    ),
    # INSERT OR REPLACE removes the old row without asking the trigger on deletes.
    """
    CREATE TRIGGER audit_no_replace BEFORE INSERT ON dashboard_auditevent WHEN EXISTS
    (SELECT 1 FROM dashboard_auditevent WHERE sequence = NEW.sequence OR hash = NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END
    """,
]
_SQLITE_REMOVE = [
    f"DROP TRIGGER IF EXISTS audit_no_{verb}" for verb in ("update", "delete", "replace")
]

_REFUSE = "EXECUTE FUNCTION audit_refuse()"
_POSTGRESQL = [
    f"""
    CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION '{_MESSAGE}'; END $$
    """,
    f"CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON {_TABLE} FOR EACH ROW {_REFUSE}",
    f"CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {_TABLE} {_REFUSE}",
]
_POSTGRESQL_REMOVE = [
    f"DROP TRIGGER IF EXISTS audit_no_change ON {_TABLE}",
    f"DROP TRIGGER IF EXISTS audit_no_truncate ON {_TABLE}",
    "DROP FUNCTION IF EXISTS audit_refuse()",
]


def install(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create the triggers; the signature is a migration's."""
    _run(schema_editor, sqlite=_SQLITE, postgresql=_POSTGRESQL)


def remove(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers; the signature is a migration's."""
    _run(schema_editor, sqlite=_SQLITE_REMOVE, postgresql=_POSTGRESQL_REMOVE)


def _run(
    schema_editor: BaseDatabaseSchemaEditor, *, sqlite: list[str], postgresql: list[str]
) -> None:
    statements = {"sqlite": sqlite, "postgresql": postgresql}[schema_editor.connection.vendor]
    for statement in statements:
        schema_editor.execute(statement)
