"""Have the database refuse INSERT OR REPLACE over an audit event too."""

from django.db import migrations

from dashboard import audit_triggers


def install_again(apps, schema_editor):
    audit_triggers.remove(apps, schema_editor)
    audit_triggers.install(apps, schema_editor)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0002_roles_and_triggers")]

    operations = [migrations.RunPython(install_again, migrations.RunPython.noop)]
