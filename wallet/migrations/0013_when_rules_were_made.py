from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("wallet", "0012_what_holds_and_bonuses_say")]

    operations = [
        migrations.AddField(
            model_name="walletpolicy",
            name="created_at",
            field=models.DateTimeField(db_default=Now(), verbose_name="made"),
        ),
    ]
