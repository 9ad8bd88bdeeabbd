from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People")

    def ready(self):
        from accounts import api_keys, receivers, roles  # noqa: F401

        post_migrate.connect(roles.sync_after_migrate, dispatch_uid="accounts.roles")
