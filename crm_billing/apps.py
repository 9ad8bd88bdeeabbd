from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CrmBillingConfig(AppConfig):
    name = "crm_billing"
    verbose_name = _("Operations")
