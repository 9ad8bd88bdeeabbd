"""
Mails that told of credit about to expire. To read only.
"""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from crm_billing.admin import (
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    Text,
    badge,
    link,
    minor_amount,
    stamp,
)
from wallet.models import ExpiryLetter


@admin.register(ExpiryLetter)
class ExpiryLetterAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "owner", "state", "made"]
    list_filter = [("created_at", DayRangeFilter)]
    list_select_related = ["customer"]
    search_fields = ["=customer__number", "customer__name"]
    search_help_text = gettext_lazy("Number or name of a customer")
    ordering = ["-pk"]

    @display(description=gettext_lazy("customer"))
    def owner(self, letter: ExpiryLetter):
        return link(letter.customer)

    @display(description=gettext_lazy("state"))
    def state(self, letter: ExpiryLetter):
        if letter.dropped_at:
            return badge("VOID", _("Not needed"))
        return badge("SENT", _("Sent")) if letter.sent_at else badge("WAITING", _("Waiting"))

    @display(description=gettext_lazy("made"), ordering="created_at")
    def made(self, letter: ExpiryLetter):
        return stamp(letter.created_at)

    def parts(self, request: HttpRequest, letter: ExpiryLetter) -> list[Part]:
        named = letter.reminders.select_related("lot").order_by("lot__expires_at", "pk")
        parts: list[Part] = [
            Facts(
                title=_("Reminder"),
                rows=[
                    (_("State"), self.state(letter)),
                    (_("Customer"), link(letter.customer)),
                    (_("Made"), stamp(letter.created_at, "seconds")),
                    (_("Sent at"), stamp(letter.sent_at, "seconds")),
                    (_("Sent to"), ", ".join(letter.sent_to)),
                    (_("Not needed since"), stamp(letter.dropped_at, "seconds")),
                ],
            ),
            Table(
                title=_("Lots"),
                headers=[_("Lot"), _("Expires"), ">" + _("Days before"), ">" + _("Left then")],
                rows=[
                    (
                        link(one.lot),
                        stamp(one.lot.expires_at),
                        str(one.step),
                        minor_amount(one.amount_minor, one.lot.currency),
                    )
                    for one in named
                ],
            ),
        ]
        if letter.text:
            parts.append(Text(title=letter.subject, text=letter.text))
        return parts
