from datetime import UTC, datetime

from django.db import migrations

# Limits in minor units, a start for every currency the portal offers; new rules are new versions.
FIRST = {
    "CNY": (100, 5_000_000, 20_000_000, [10_000, 50_000, 100_000, 200_000, 500_000]),
    "USD": (100, 1_000_000, 5_000_000, [2_000, 5_000, 10_000, 50_000]),
    "EUR": (100, 1_000_000, 5_000_000, [2_000, 5_000, 10_000, 50_000]),
    "JPY": (100, 1_000_000, 5_000_000, [2_000, 5_000, 10_000, 50_000]),
    "KWD": (1_000, 3_000_000, 15_000_000, [10_000, 50_000, 100_000]),
}


def add(apps, schema_editor):
    policies = apps.get_model("wallet", "WalletPolicy")
    for currency, (smallest, largest, balance, presets) in FIRST.items():
        policies.objects.create(
            currency=currency,
            valid_from=datetime(2000, 1, 1, tzinfo=UTC),
            min_topup_minor=smallest,
            max_topup_minor=largest,
            max_balance_minor=balance,
            max_open_topups=10,
            max_daily_adjustments_minor=largest,
            topup_minutes=30,
            presets_minor=presets,
        )


def remove(apps, schema_editor):
    schema_editor.execute(
        "SET CONSTRAINTS ALL IMMEDIATE;"  # or what the rows leave pending forbids the last step
        "ALTER TABLE wallet_walletpolicy DISABLE TRIGGER wallet_walletpolicy_append_only;"
        "DELETE FROM wallet_walletpolicy;"
        "ALTER TABLE wallet_walletpolicy ENABLE TRIGGER wallet_walletpolicy_append_only;"
    )


class Migration(migrations.Migration):
    replaces = [
        ("wallet", "0006_topup_guards"),
    ]
    dependencies = [("wallet", "0006_adjustments")]

    operations = [migrations.RunPython(add, remove)]
