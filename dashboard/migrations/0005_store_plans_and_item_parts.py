import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0004_people_jobs_and_changes"),
    ]

    operations = [
        migrations.AddField(
            model_name="jobitem",
            name="part_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="jobitem",
            name="part_done",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="jobitem",
            name="part_from",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="jobitem",
            name="part_name",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="jobitem",
            name="part_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="jobitem",
            name="part_total",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="jobitem",
            name="report",
            field=models.JSONField(default=None, null=True),
        ),
        migrations.CreateModel(
            name="StorePlan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("store_id", models.CharField(max_length=12)),
                ("agent", models.CharField(max_length=300)),
                ("name", models.CharField(max_length=300)),
                ("kind", models.CharField(max_length=10)),
                ("digest", models.CharField(max_length=64)),
                ("outcome", models.CharField(max_length=20)),
                ("summary", models.JSONField(default=dict)),
                ("is_ready", models.BooleanField(default=False)),
                ("actor", models.CharField(blank=True, max_length=150)),
                ("job_id", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [
                    models.Index(fields=["store_id", "kind", "is_ready"], name="looks_at_store")
                ],
            },
        ),
        migrations.CreateModel(
            name="StorePlanSession",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.IntegerField()),
                ("key", models.TextField()),
                ("action", models.CharField(max_length=16)),
                ("source", models.CharField(blank=True, max_length=300)),
                ("size_bytes", models.BigIntegerField(default=0)),
                ("file_name", models.TextField(blank=True)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("spelt", models.TextField(blank=True)),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to="dashboard.storeplan",
                    ),
                ),
            ],
            options={
                "ordering": ["position"],
                "indexes": [
                    models.Index(fields=["plan", "action", "position"], name="sessions_by_action"),
                    models.Index(fields=["plan", "position"], name="sessions_in_order"),
                ],
            },
        ),
    ]
