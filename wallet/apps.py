from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WalletConfig(AppConfig):
    name = "wallet"
    verbose_name = _("Wallet")

    def ready(self) -> None:
        from wallet import receivers  # noqa: F401  registers the outbox's handlers
        from wallet.gateways import checks  # noqa: F401  registers the system checks
