from datetime import UTC, datetime

from django.db import migrations

# (hours after the first failure, state, whether there is a message)
STEPS = [
    (0, "PAST_DUE", True),
    (6, "PAST_DUE", False),
    (24, "PAST_DUE", True),
    (72, "PAST_DUE", True),
    (120, "PAST_DUE", False),
    (168, "RESTRICTED", True),
    (240, "RESTRICTED", False),
    (312, "RESTRICTED", True),
    (336, "SUSPENDED", True),
    (720, "ENDED", True),
]


def add(apps, schema_editor):
    apps.get_model("packages", "DunningPolicy").objects.create(
        valid_from=datetime(2000, 1, 1, tzinfo=UTC),
        steps=[{"hours": hours, "state": state, "tells": tells} for hours, state, tells in STEPS],
        data_kept_days=90,
    )


def remove(apps, schema_editor):
    schema_editor.execute(
        "ALTER TABLE packages_dunningpolicy DISABLE TRIGGER USER;"
        "DELETE FROM packages_dunningpolicy;"
        "ALTER TABLE packages_dunningpolicy ENABLE TRIGGER USER;"
    )


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0012_change_guards"),
    ]
    dependencies = [("packages", "0009_dunning")]

    operations = [migrations.RunPython(add, remove)]
