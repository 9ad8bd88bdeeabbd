"""
Announced prices: to announce one for those who have an old one, to follow it, to take it back.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.decorators import display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import (
    NOTHING,
    Command,
    Comparison,
    DressedForm,
    Facts,
    MomentField,
    Part,
    ReadOnlyAdmin,
    Table,
    link,
    stamp,
)
from packages import price_moves
from packages.admin import shown
from packages.catalogue import PUBLISH
from packages.comparing import is_no_worse
from packages.models import PriceAnnouncement, PriceMove, PriceVersion

LATEST = 200


class AnnounceForm(DressedForm, forms.Form):
    """
    Which price takes the place of the old one, from when on, and why.
    """

    to_version = forms.ModelChoiceField(
        label=gettext_lazy("New price"), queryset=PriceVersion.objects.none()
    )
    holds_from = MomentField(
        label=gettext_lazy("Holds from"),
        help_text=gettext_lazy(
            "For terms that begin then or later, and 30 days after the customer was told."
        ),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason in Chinese"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Customers read it in the mail and on their page."),
    )
    reason_en = forms.CharField(
        label=gettext_lazy("Reason in English"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, before: PriceVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["to_version"]
        field.queryset = price_moves.candidates(before, at=timezone.now())


def announce(request: StaffRequest, version: PriceVersion, cleaned: dict) -> str:
    price_moves.announce(
        from_version_id=version.pk,
        to_version_id=cleaned["to_version"].pk,
        holds_from=cleaned["holds_from"],
        reason=cleaned["reason"],
        reason_en=cleaned["reason_en"],
        at=timezone.now(),
        by=request.user,
    )
    return _("The price is announced. Customers are told within minutes.")


def _before_announcing(request: HttpRequest, version: PriceVersion) -> list[Part]:
    """
    Show whom it concerns, and each price that may follow beside the old one.
    """
    compared: list[Part] = [
        Comparison(
            title=_("%(price)s: holds by itself") % {"price": one}
            if is_no_worse(one.terms, version.terms)
            else _("%(price)s: only for whoever agrees") % {"price": one},
            left=str(version),
            right=str(one),
            rows=shown.compared(version.terms, one.terms),
        )
        for one in price_moves.candidates(version, at=timezone.now())
    ]
    return [shown.affected_table(price_moves.affected(version)), *compared]


ANNOUNCE = Command(
    name="announce",
    label=gettext_lazy("Move its customers"),
    permission=PUBLISH,
    run=announce,
    form=AnnounceForm,
    given=lambda request, version: {"before": version},
    parts=_before_announcing,
    text=gettext_lazy(
        "Whoever has this price is told of the new one at least 30 days before. Where it is "
        "nowhere dearer it holds by itself; else only for whoever agrees, and for the others the "
        "subscription ends with what is paid."
    ),
    icon="arrows-exchange",
    fits=lambda request, version: bool(
        version.published_at
        and version.valid_to
        and version.interval
        and not version.moves.open().exists()
    ),
    guard=fresh_proof_required,
)


def revoke(request: StaffRequest, move: PriceMove, cleaned: dict) -> str:
    price_moves.revoke(move_id=move.pk, at=timezone.now(), by=request.user)
    return _("Taken back. Whoever has not got the new price yet keeps the old one.")


@admin.register(PriceMove)
class PriceMoveAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "title", "since", "how", "told", "agreed", "decided", "back"]
    list_filter = ["from_version__package", ("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["=from_version__package__code", "from_version__package__name"]
    ordering = ["-pk"]
    commands = [
        Command(
            name="revoke",
            label=gettext_lazy("Take back"),
            permission=PUBLISH,
            run=revoke,
            text=gettext_lazy("Whoever has not got the new price yet keeps the old one."),
            icon="arrow-back-up",
            dangerous=True,
            quiet=True,
            fits=lambda request, move: move.revoked_at is None,
            guard=fresh_proof_required,
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceMove]:
        related = ("from_version__package", "to_version__package", "announced_by", "revoked_by")
        return (
            super()
            .get_queryset(request)
            .select_related(*related)
            .annotate(
                are_told=Count("announcements", filter=Q(announcements__replaced_at=None)),
                have_agreed=Count("announcements", filter=Q(announcements__consent__isnull=False)),
            )
        )

    @display(description=gettext_lazy("package"))
    def title(self, move: PriceMove):
        return move.from_version.package.called

    @display(description=gettext_lazy("holds from"), ordering="holds_from")
    def since(self, move: PriceMove):
        return stamp(move.holds_from)

    @display(description=gettext_lazy("how"), ordering="is_no_worse")
    def how(self, move: PriceMove):
        return _("by itself") if move.is_no_worse else _("by agreement")

    @display(description=gettext_lazy("how many were told"), ordering="are_told")
    def told(self, move: PriceMove):
        return move.are_told  # type: ignore[attr-defined]  # annotated above

    @display(description=gettext_lazy("how many agreed"), ordering="have_agreed")
    def agreed(self, move: PriceMove):
        return NOTHING if move.is_no_worse else move.have_agreed  # type: ignore[attr-defined]

    @display(description=pgettext_lazy("price", "decided"), ordering="announced_at")
    def decided(self, move: PriceMove):
        return stamp(move.announced_at)

    @display(description=gettext_lazy("taken back"), ordering="revoked_at")
    def back(self, move: PriceMove):
        return stamp(move.revoked_at)

    def parts(self, request: HttpRequest, move: PriceMove) -> list[Part]:
        before, after = (
            PriceVersion.objects.whole().get(pk=pk)
            for pk in (move.from_version_id, move.to_version_id)
        )
        return [
            Facts(
                title=_("Announced price"),
                rows=[
                    (_("Old price"), link(move.from_version)),
                    (_("New price"), link(move.to_version)),
                    (_("Holds from"), stamp(move.holds_from)),
                    (_("How"), self.how(move)),
                    (_("Reason in Chinese"), move.reason),
                    (_("Reason in English"), move.reason_en),
                    (_("Decided"), stamp(move.announced_at)),
                    (_("By"), link(move.announced_by)),
                    (_("Taken back"), stamp(move.revoked_at)),
                    (_("Taken back by"), link(move.revoked_by)),
                ],
            ),
            Comparison(
                title=_("What changes"),
                left=str(before),
                right=str(after),
                rows=shown.compared(before.terms, after.terms),
            ),
            _announcements(move),
        ]


def _announcements(move: PriceMove) -> Table:
    related = PriceAnnouncement.objects.filter(move=move).select_related(
        "subscription__customer", "notice", "agreed_by"
    )
    made = Count("changes", filter=Q(changes__applied_at__isnull=False))
    return Table(
        title=_("Who was told"),
        headers=[
            _("Subscription"),
            _("Customer"),
            _("Mailed"),
            _("Holds from"),
            _("Agreed"),
            _("By"),
            _("What became of it"),
        ],
        rows=[
            (
                link(one.subscription, one.subscription.number),
                link(one.subscription.customer),
                stamp(one.notice.sent_at),
                stamp(one.holds_from),
                stamp(one.agreed_at),
                link(one.agreed_by) if one.agreed_by else NOTHING,
                _became(one),
            )
            for one in related.annotate(made=made).order_by("-pk")[:LATEST]
        ],
        empty=_("Nobody yet."),
    )


def _became(announcement: PriceAnnouncement) -> str:
    """
    announcement: annotated with how many changes were `made` by it.
    """
    if announcement.replaced_at is not None:
        return _("came back, announced again")
    if announcement.made:  # type: ignore[attr-defined]
        return _("has the new price")
    if announcement.notice.bounced_at is not None and announcement.agreed_at is None:
        return _("the mail came back")
    return announcement.subscription.get_state_display()
