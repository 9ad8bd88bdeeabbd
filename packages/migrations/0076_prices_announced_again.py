from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("packages", "0075_never_emptied")]

    operations = [
        migrations.RemoveConstraint(
            model_name="priceannouncement",
            name="packages_announcement_once_for_each",
        ),
        migrations.AddField(
            model_name="priceannouncement",
            name="replaced_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="announced again"),
        ),
        migrations.AddConstraint(
            model_name="priceannouncement",
            constraint=models.UniqueConstraint(
                models.F("move"),
                models.F("subscription"),
                condition=models.Q(("replaced_at", None)),
                name="packages_announcement_once_for_each",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceannouncement",
            constraint=models.CheckConstraint(
                condition=models.Q(("consent", None), ("replaced_at", None), _connector="OR"),
                name="packages_announcement_agreed_or_replaced",
            ),
        ),
        sql_beside(__file__),
    ]
