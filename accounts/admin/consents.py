"""
What customers agreed to, word for word.
"""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.models import Consent
from crm_billing.admin import DayRangeFilter, Facts, Part, ReadOnlyAdmin, Text, link, stamp


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin):
    list_display = ["purpose", "owner", "given", "who", "version", "control"]
    list_filter = ["purpose", "version", ("given_at", DayRangeFilter)]
    list_select_related = ["customer", "given_by"]
    search_fields = ["=customer__number", "customer__name", "=given_by__email", "=text_sha256"]
    search_help_text = gettext_lazy("Customer's number or name, person's address, hash of the text")
    ordering = ["-pk"]

    @display(description=gettext_lazy("customer"))
    def owner(self, consent: Consent):
        return link(consent.customer)

    @display(description=gettext_lazy("given"), ordering="given_at")
    def given(self, consent: Consent):
        return stamp(consent.given_at)

    @display(description=gettext_lazy("by"))
    def who(self, consent: Consent):
        return link(consent.given_by)

    def parts(self, request: HttpRequest, consent: Consent) -> list[Part]:
        return [
            Facts(
                title=_("Consent"),
                rows=[
                    (_("Purpose"), consent.get_purpose_display()),
                    (_("Customer"), link(consent.customer)),
                    (_("Given"), stamp(consent.given_at, "seconds")),
                    (_("By"), link(consent.given_by)),
                    (_("Version of the text"), consent.version),
                    (_("Language"), consent.locale),
                ],
            ),
            Facts(
                title=_("How it was given"),
                rows=[
                    (_("Network address"), consent.address or ""),
                    (_("Browser"), consent.user_agent),
                    (_("Form or call"), consent.control),
                    (_("Hash (SHA-256)"), consent.text_sha256),
                ],
            ),
            Text(title=_("Text"), text=consent.text),
        ]
