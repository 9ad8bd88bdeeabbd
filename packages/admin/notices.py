"""
What customers were told, what came back, and telling it again.
"""

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from accounts.http import StaffRequest
from crm_billing.admin import (
    Command,
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Text,
    badge,
    link,
    minor_amount,
    stamp,
)
from packages import announcing, notices
from packages.admin.parked import RUN
from packages.models import Notice


class NoticeStateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [
            ("waiting", _("Waiting")),
            ("sent", _("Sent")),
            ("dropped", _("Not needed")),
            ("bounced", _("Came back")),
            ("holding", _("Came back, renewal waits")),
            ("price", _("Came back, price waits")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        match self.value():
            case "waiting":
                return queryset.filter(sent_at=None, dropped_at=None, bounced_at=None)
            case "sent":
                return queryset.filter(sent_at__isnull=False, bounced_at=None)
            case "dropped":
                return queryset.filter(dropped_at__isnull=False)
            case "bounced":
                return queryset.filter(bounced_at__isnull=False)
            case "holding":
                return queryset.holding_up()
            case "price":
                return queryset.filter(pk__in=announcing.returned())
        return queryset


def waiting_for_one() -> Q:
    """
    Return what tells the notices whose renewal or price waits until it is announced again.
    """
    return Q(pk__in=Notice.objects.holding_up()) | Q(pk__in=announcing.returned())


def announce_again(request: StaffRequest, notice: Notice, cleaned: dict) -> str:
    if notice.kind == Notice.Kind.PRICE:
        announcing.announce_again(notice_id=notice.pk, at=timezone.now())
        return _("The price is announced again; the days until it holds count from this mail.")
    notices.announce_again(notice_id=notice.pk, at=timezone.now())
    return _("The renewal is announced again, and charged when the customer has had time.")


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ["subject", "owner", "about", "kind", "happens", "state", "made"]
    list_filter = ["kind", NoticeStateFilter, ("created_at", DayRangeFilter)]
    list_select_related = ["customer", "subscription__package"]
    search_fields = ["=customer__number", "customer__name", "=subscription__number"]
    search_help_text = gettext_lazy("Number of a customer or subscription, or customer's name")
    ordering = ["-pk"]
    actions = ["announce_selected"]
    commands = [
        Command(
            name="announce",
            label=gettext_lazy("The address is right: announce it again"),
            permission=RUN,
            run=announce_again,
            text=gettext_lazy(
                "When the customer gives another address, this is done by itself. Do it here only "
                "after the customer has told you that this one works now."
            ),
            icon="refresh",
            fits=lambda request, one: Notice.objects.filter(waiting_for_one(), pk=one.pk).exists(),
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        return super().get_queryset(request).select_related("customer", "subscription__package")

    def has_announce_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RUN)

    @action(
        description=gettext_lazy("The addresses are right: announce again"),
        permissions=["announce"],
    )
    def announce_selected(self, request: StaffRequest, queryset: QuerySet[Notice]) -> None:
        count = 0
        for notice in queryset.filter(waiting_for_one()):
            try:
                announce_again(request, notice, {})
            except notices.NothingToAnnounce:
                continue  # somebody was faster
            count += 1
        said = ngettext(
            "%(count)d notice is announced again.",
            "%(count)d notices are announced again.",
            count,
        )
        messages.success(request, said % {"count": count})

    @display(description=gettext_lazy("customer"))
    def owner(self, notice: Notice):
        return link(notice.customer)

    @display(description=gettext_lazy("subscription"))
    def about(self, notice: Notice):
        return link(notice.subscription)

    @display(description=gettext_lazy("happens"), ordering="due_at")
    def happens(self, notice: Notice):
        return stamp(notice.due_at)

    @display(description=gettext_lazy("state"))
    def state(self, notice: Notice):
        if notice.dropped_at:
            return badge("VOID", _("Not needed"))
        if notice.bounced_at:
            return badge("FAILED", _("Came back"))
        return badge("SENT", _("Sent")) if notice.sent_at else badge("WAITING", _("Waiting"))

    @display(description=gettext_lazy("made"), ordering="created_at")
    def made(self, notice: Notice):
        return stamp(notice.created_at)

    def parts(self, request: HttpRequest, notice: Notice) -> list[Part]:
        return [
            Facts(
                title=_("Notice"),
                rows=[
                    (_("Kind"), notice.get_kind_display()),
                    (_("State"), self.state(notice)),
                    (_("Customer"), link(notice.customer)),
                    (_("Subscription"), link(notice.subscription)),
                    (_("About period"), str(notice.period_number)),
                    (_("Amount"), minor_amount(notice.amount_minor, notice.currency)),
                    (_("Happens"), stamp(notice.due_at)),
                    (_("Made"), stamp(notice.created_at, "seconds")),
                    (_("Sent at"), stamp(notice.sent_at, "seconds")),
                    (_("Sent to"), ", ".join(notice.sent_to)),
                    (_("Not needed since"), stamp(notice.dropped_at, "seconds")),
                    (_("Came back from"), ", ".join(notice.bounced_to)),
                    (_("Came back at"), stamp(notice.bounced_at, "seconds")),
                    (_("Why it came back"), notice.bounce_reason),
                ],
            ),
            Text(title=notice.subject, text=notice.text),
        ]
