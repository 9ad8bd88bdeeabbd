from datetime import UTC, datetime

from django.db import migrations

# (hours after the first failure, state, whether there is a message), as the code had them before
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
    apps.get_model("packages", "DunningPolicy").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("packages", "0072_dunning_policies")]

    operations = [migrations.RunPython(add, remove)]
