"""Make the role groups, and have the database refuse changes to audit events."""

from django.db import migrations

from dashboard import audit_triggers


def make_groups(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in ("viewer", "operator", "admin"):
        group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        # Groups stay on the way back: people may be in them.
        migrations.RunPython(make_groups, migrations.RunPython.noop),
        migrations.RunPython(audit_triggers.install, audit_triggers.remove),
    ]
