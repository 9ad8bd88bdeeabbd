from django.db import migrations

GROUPS = ("SUPPORT", "FINANCE_MAKER", "FINANCE_CHECKER", "ADMIN")


def make_groups(apps, schema_editor):
    """
    Make the staff roles; `accounts.roles.sync` gives them their permissions after every migration.
    """
    Group = apps.get_model("auth", "Group")
    for name in GROUPS:
        Group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    replaces = [
        ("accounts", "0001_initial"),
    ]
    dependencies = [
        ("accounts", "0001_people"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
