"""
Coupons: what they give in words, who uses them; draft, publish and end them.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import (
    NOTHING,
    Command,
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    address,
    amount,
    ask,
    link,
    stamp,
)
from packages import coupon_words, coupons, quotes, redemptions, wording
from packages.admin.coupon_form import CouponForm
from packages.catalogue import PUBLISH
from packages.models import Coupon, CouponUse, PriceVersion

LATEST = 50


def publish(request: StaffRequest, coupon: Coupon, cleaned: dict) -> str:
    coupons.publish(coupon_id=coupon.pk, at=timezone.now(), by=request.user)
    return _("The coupon can be used.")


def end(request: StaffRequest, coupon: Coupon, cleaned: dict) -> str:
    coupons.end(coupon_id=coupon.pk, at=timezone.now(), by=request.user)
    return _("The coupon has ended.")


def rules(coupon: Coupon) -> Facts:
    return Facts(title=_("What it gives"), rows=list(coupon_words.rules(coupon)))


def examples(coupon: Coupon) -> Table:
    """
    Show what the prices on sale that it is for become with it.
    """
    versions = PriceVersion.objects.on_sale(timezone.now()).whole().exclude(interval="")
    if coupon.currency:
        versions = versions.filter(currency=coupon.currency)
    rows = []
    for version in versions.order_by("package__position", "package_id", "currency", "number"):
        if redemptions.is_for(coupon, version.package_id) and len(rows) < LATEST:
            before = quotes.price(version.terms).each_term
            after = quotes.price(version.terms, discount=coupon.discount).each_term
            if before != after:
                term = str(wording.TERM[version.interval])
                rows.append((link(version), term, amount(before), amount(after)))
    return Table(
        title=_("What a term with one seat becomes"),
        headers=[_("Price"), _("Term"), ">" + _("Each term"), ">" + _("With the coupon")],
        rows=rows,
        empty=_("No price on sale is made cheaper by it."),
    )


def uses_table(title: str, found: list[CouponUse]) -> Table:
    """
    Return uses as a table. Read them with coupon, customer, subscription and who used them.
    """
    return Table(
        title=title,
        headers=[
            _("Number"),
            _("Coupon"),
            _("Customer"),
            _("Subscription"),
            _("Used"),
            _("By"),
            _("Terms left"),
            _("Ended"),
        ],
        rows=[
            (
                str(one.number),
                link(one.coupon),
                link(one.customer),
                link(one.subscription, one.subscription.number),
                stamp(one.used_at),
                link(one.used_by) if one.used_by else NOTHING,
                _("for ever") if one.terms_left is None else str(one.terms_left),
                stamp(one.ended_at),
            )
            for one in found
        ],
        empty=_("It has not been used."),
    )


def uses_of(**which: Any) -> list[CouponUse]:
    """
    Return the latest uses of a coupon or of a subscription, as `uses_table` needs them.
    """
    related = CouponUse.objects.select_related("coupon", "customer", "subscription", "used_by")
    return list(related.filter(**which).order_by("-pk")[:LATEST])


@admin.register(Coupon)
class CouponAdmin(ReadOnlyAdmin):
    list_display = ["code", "title", "gives", "uses_so_far", "since", "until", "state"]
    list_filter = [("valid_from", DayRangeFilter), "packages"]
    search_fields = ["code", "name", "name_en"]
    ordering = ["-pk"]
    actions_list = ["new"]
    commands = [
        Command(
            name="publish",
            label=gettext_lazy("Let it be used"),
            permission=PUBLISH,
            run=publish,
            text=gettext_lazy(
                "Customers can enter it from the day it is valid. What it gives never changes any "
                "more; it can only be ended."
            ),
            parts=lambda request, coupon: [rules(coupon), examples(coupon)],
            icon="discount",
            fits=lambda request, coupon: coupon.published_at is None and coupon.ended_at is None,
            guard=fresh_proof_required,
        ),
        Command(
            name="end",
            label=gettext_lazy("End it"),
            permission=PUBLISH,
            run=end,
            text=gettext_lazy(
                "Nobody can enter it any more, for good. Whoever uses it keeps it, and quotes "
                "given with it are honoured."
            ),
            parts=lambda request, coupon: [rules(coupon)],
            icon="ban",
            dangerous=True,
            fits=lambda request, coupon: coupon.ended_at is None,
            guard=fresh_proof_required,
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coupon]:
        return super().get_queryset(request).prefetch_related("packages")

    @display(description=gettext_lazy("name"))
    def title(self, coupon: Coupon):
        return coupon.called

    @display(description=gettext_lazy("what it gives"))
    def gives(self, coupon: Coupon):
        return coupon_words.summed_up(coupon)

    @display(description=gettext_lazy("used"), ordering="used")
    def uses_so_far(self, coupon: Coupon):
        most = "∞" if coupon.most_uses is None else wording.number(coupon.most_uses)
        return f"{wording.number(coupon.used)} / {most}"

    @display(description=gettext_lazy("valid from"), ordering="valid_from")
    def since(self, coupon: Coupon):
        return stamp(coupon.valid_from)

    @display(description=gettext_lazy("valid to"), ordering="valid_to")
    def until(self, coupon: Coupon):
        return stamp(coupon.valid_to)

    @display(description=gettext_lazy("state"))
    def state(self, coupon: Coupon):
        if coupon.ended_at is not None:
            return _("ended")
        if coupon.published_at is None:
            return _("draft")
        now = timezone.now()
        if now < coupon.valid_from:
            return _("begins later")
        return _("can be used") if coupon.holds(now) else _("no longer valid")

    def parts(self, request: HttpRequest, coupon: Coupon) -> list[Part]:
        return [
            rules(coupon),
            Facts(
                title=_("What happened to it"),
                rows=[
                    (_("State"), self.state(coupon)),
                    (_("Chinese name"), coupon.name),
                    (_("English name"), coupon.name_en),
                    (_("Uses so far"), self.uses_so_far(coupon)),
                    (_("Valid from"), stamp(coupon.valid_from)),
                    (_("Valid to"), stamp(coupon.valid_to)),
                    (_("Made"), stamp(coupon.created_at)),
                    (_("Made by"), link(coupon.created_by)),
                    (_("Published at"), stamp(coupon.published_at)),
                    (_("Published by"), link(coupon.published_by)),
                    (_("Ended at"), stamp(coupon.ended_at)),
                    (_("Ended by"), link(coupon.ended_by)),
                ],
            ),
            examples(coupon),
            uses_table(_("Uses"), uses_of(coupon=coupon)),
        ]

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PUBLISH)

    @action(
        description=gettext_lazy("New coupon"), url_path="new", icon="add", permissions=["manage"]
    )
    def new(self, request: HttpRequest) -> HttpResponse:
        return fresh_proof_required(self._new)(request)

    def _new(self, request: StaffRequest) -> HttpResponse:
        form = CouponForm(request.POST if request.method == "POST" else None)

        def run(request: StaffRequest, row: None, cleaned: dict) -> Coupon:
            now = timezone.now()
            return coupons.draft(
                facts=form.facts(now), packages=cleaned["packages"], at=now, by=request.user
            )

        said = _("The draft is written. Look at it, then let it be used.")
        return ask(
            self,
            request,
            form,
            run,
            done=lambda coupon: (said, address(coupon)),
            title=_("New coupon"),
            text=_(
                "Nobody can use it before it is published. A draft can be written anew under the "
                "same code."
            ),
            submit=_("Write the draft"),
            back=reverse("admin:packages_coupon_changelist"),
        )
