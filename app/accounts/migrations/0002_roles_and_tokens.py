import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="role",
            field=models.CharField(
                choices=[("reader", "Reader"), ("editor", "Editor"), ("admin", "Admin")],
                default="reader",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="token_version",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="user",
            name="refresh_token_hash",
            field=models.CharField(max_length=64, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="user",
            name="refresh_family",
            field=models.CharField(max_length=32, null=True),
        ),
        migrations.CreateModel(
            name="RefreshFamily",
            fields=[
                ("id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("current_jti", models.CharField(max_length=32)),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("ends_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="families",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
