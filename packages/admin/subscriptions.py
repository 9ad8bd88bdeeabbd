"""
What customers have bought: subscriptions with their periods and charges, and the quotes before.
"""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import (
    Command,
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    badge,
    link,
    minor_amount,
    stamp,
)
from packages import quotes, subscriptions, wording
from packages.admin import shown
from packages.admin.charges import charges_table
from packages.admin.coupons import uses_of, uses_table
from packages.admin.parked import TRY_AGAIN, ParkedFilter
from packages.admin.standing import standing
from packages.models import Charge, PriceQuote, Subscription
from packages.subscriptions import CANCEL

LATEST = 50


def cancel(request: StaffRequest, subscription: Subscription, cleaned: dict) -> str:
    after = subscriptions.cancel(
        subscription_id=subscription.pk, at=timezone.now(), by=request.user
    )
    if not after.is_live:
        return _("Cancelled. It has ended.")
    return _("Cancelled. It runs until %(day)s.") % {
        "day": wording.last_day(after.paid_until, after.zone)
    }


def each_term(subscription: Subscription) -> str:
    """
    Say what a term costs. Read the subscription with `whole()`.
    """
    terms = subscription.price_version.terms
    quote = quotes.price(terms, seats=subscription.seats)
    return wording.per_term(quote.each_term, terms.interval)


def subscriptions_table(title: str, found: list[Subscription], **more) -> Table:
    """
    Return subscriptions as a table. Read them with `whole()`.
    """
    return Table(
        title=title,
        headers=[
            _("Subscription"),
            _("Package"),
            _("State"),
            _("Renews by itself"),
            _("Last day"),
            ">" + _("Seats"),
            ">" + _("Each term"),
        ],
        rows=[
            (
                link(one, one.number),
                one.package.called,
                badge(one.state, one.get_state_display()),
                _("yes") if one.auto_renew else _("no"),
                wording.last_day(one.paid_until, one.zone),
                str(one.seats),
                each_term(one),
            )
            for one in found
        ],
        empty=_("No subscription."),
        **more,
    )


def _periods(subscription: Subscription) -> Table:
    found = subscription.periods.select_related("price_version__package").order_by("-number")
    return Table(
        title=_("Periods"),
        headers=[
            _("Period"),
            _("From"),
            _("Until"),
            _("Price"),
            ">" + _("Seats"),
            ">" + _("Amount"),
        ],
        rows=[
            (
                f"{one.number} ({_('trial')})" if one.is_trial else str(one.number),
                stamp(one.starts_at),
                stamp(one.ends_at),
                link(one.price_version),
                str(one.seats),
                minor_amount(one.amount_minor, subscription.currency),
            )
            for one in found[:LATEST]
        ],
    )


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = ["number", "owner", "what", "condition", "seats", "renews", "paid", "begun"]
    list_filter = ["state", ParkedFilter, "package", "auto_renew", ("created_at", DayRangeFilter)]
    list_select_related = ["customer", "package"]
    search_fields = ["=number", "=customer__number", "customer__name"]
    search_help_text = gettext_lazy("Whole number, customer's number or name")
    ordering = ["-pk"]
    commands = [
        Command(
            name="cancel",
            label=gettext_lazy("Cancel for the customer"),
            permission=CANCEL,
            run=cancel,
            text=gettext_lazy(
                "It runs until what is paid has ended and renews no more. The customer can take "
                "that back until then."
            ),
            icon="ban",
            dangerous=True,
            fits=lambda request, one: one.is_live and one.cancelled_at is None,
            guard=fresh_proof_required,
        ),
        TRY_AGAIN,
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).select_related("customer", "package")

    @display(description=gettext_lazy("customer"))
    def owner(self, one: Subscription):
        return link(one.customer)

    @display(description=gettext_lazy("package"), ordering="package__position")
    def what(self, one: Subscription):
        return one.package.called

    @display(description=gettext_lazy("state"), ordering="state")
    def condition(self, one: Subscription):
        return badge(one.state, one.get_state_display())

    @display(description=gettext_lazy("renews by itself"), ordering="auto_renew", boolean=True)
    def renews(self, one: Subscription):
        return one.auto_renew

    @display(description=gettext_lazy("last day"), ordering="paid_until")
    def paid(self, one: Subscription):
        return wording.last_day(one.paid_until, one.zone)

    @display(description=gettext_lazy("begun"), ordering="created_at")
    def begun(self, one: Subscription):
        return stamp(one.created_at)

    def parts(self, request: HttpRequest, one: Subscription) -> list[Part]:
        whole = Subscription.objects.whole().get(pk=one.pk)
        quote = PriceQuote.objects.filter(subscription=one).first()
        return [
            Facts(
                title=_("Subscription"),
                rows=[
                    (_("State"), self.condition(one)),
                    (_("Customer"), link(one.customer)),
                    (_("Package"), link(one.package)),
                    (_("Price"), link(whole.price_version)),
                    (_("Seats"), str(one.seats)),
                    (_("Each term"), each_term(whole)),
                    (_("Renews by itself"), _("yes") if one.auto_renew else _("no")),
                    (
                        _("Last day of the trial")
                        if one.state == Subscription.State.TRIAL
                        else _("Last day paid for"),
                        self.paid(one),
                    ),
                ],
            ),
            Facts(
                title=_("What happened to it"),
                rows=[
                    (_("Begun"), stamp(one.created_at)),
                    (_("Begun by"), link(one.created_by)),
                    (_("Quote"), link(quote) if quote else None),
                    (_("Consent to renewals"), link(one.consent)),
                    (_("Cancelled at"), stamp(one.cancelled_at)),
                    (_("Cancelled by"), link(one.cancelled_by)),
                    (_("Ended at"), stamp(one.ended_at)),
                    (_("Days are counted in"), one.zone),
                    (_("Anchor"), _("%(day)s, period %(number)s") % _anchor(one)),
                ],
            ),
            *standing(whole, at=timezone.now()),
            _periods(one),
            *shown.moves_table(Q(announcements__subscription=one)),
            uses_table(_("Coupons"), uses_of(subscription=one)),
            charges_table(
                _("Charges"),
                list(Charge.objects.filter(subscription=one).order_by("-pk")[:LATEST]),
            ),
        ]


def _anchor(one: Subscription) -> dict[str, str]:
    return {"day": one.anchor_on.isoformat(), "number": str(one.anchor_number)}


@admin.register(PriceQuote)
class PriceQuoteAdmin(ReadOnlyAdmin):
    list_display = ["code", "owner", "what", "seats", "now", "made", "until", "became"]
    list_filter = ["price_version__package", ("made_at", DayRangeFilter)]
    search_fields = ["=code", "=customer__number", "customer__name", "=topup__number"]
    search_help_text = gettext_lazy("Whole code, customer's number or name, number of the top-up")
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceQuote]:
        related = (
            "customer",
            "price_version__package",
            "subscription",
            "topup",
            "consent",
            "coupon",
        )
        return super().get_queryset(request).select_related(*related)

    @display(description=gettext_lazy("customer"))
    def owner(self, quote: PriceQuote):
        return link(quote.customer)

    @display(description=gettext_lazy("package"))
    def what(self, quote: PriceQuote):
        return quote.price_version.package.called

    @display(description=gettext_lazy("to pay now"))
    def now(self, quote: PriceQuote):
        return minor_amount(quote.due_minor, quote.currency)

    @display(description=gettext_lazy("made"), ordering="made_at")
    def made(self, quote: PriceQuote):
        return stamp(quote.made_at)

    @display(description=gettext_lazy("valid until"), ordering="expires_at")
    def until(self, quote: PriceQuote):
        return stamp(quote.expires_at)

    @display(description=gettext_lazy("subscription"))
    def became(self, quote: PriceQuote):
        return link(quote.subscription, quote.subscription and quote.subscription.number)

    def parts(self, request: HttpRequest, quote: PriceQuote) -> list[Part]:
        return [
            Facts(
                title=_("Quote"),
                rows=[
                    (_("Customer"), link(quote.customer)),
                    (_("Package"), quote.price_version.package.called),
                    (_("Price"), link(quote.price_version)),
                    (_("Seats"), str(quote.seats)),
                    (_("Coupon"), link(quote.coupon) if quote.coupon else None),
                    (_("Trial"), _("yes") if quote.has_trial else _("no")),
                    (_("To pay now"), minor_amount(quote.due_minor, quote.currency)),
                    (_("Each term"), minor_amount(quote.each_term_minor, quote.currency)),
                ],
            ),
            Facts(
                title=_("What happened to it"),
                rows=[
                    (_("Made"), stamp(quote.made_at)),
                    (_("Made by"), link(quote.made_by)),
                    (_("Valid until"), stamp(quote.expires_at)),
                    (_("Consent"), link(quote.consent)),
                    (_("Top-up"), link(quote.topup)),
                    (_("Accepted"), stamp(quote.accepted_at)),
                    (_("Subscription"), self.became(quote)),
                ],
            ),
        ]
