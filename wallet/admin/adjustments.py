"""
Manual corrections: one person proposes, another one decides after a fresh proof.
"""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.decorators import action, display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing import idempotency
from crm_billing.admin import (
    Command,
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    ReasonForm,
    Text,
    address,
    amount,
    attempt,
    badge,
    link,
    page,
    stamp,
)
from wallet import adjustments, corrections, queries
from wallet.admin.adjustment_forms import ApprovalForm, ProposalForm, is_number
from wallet.admin.alike import money_words, warnings
from wallet.models import Adjustment


def approve(request: StaffRequest, adjustment: Adjustment, cleaned: dict) -> str:
    done = adjustments.approve(
        adjustment_id=adjustment.pk, at=timezone.now(), by=request.user, **cleaned
    )
    return _("Approved: %(amount)s is posted.") % {"amount": money_words(done)}


def reject(request: StaffRequest, adjustment: Adjustment, cleaned: dict) -> str:
    adjustments.reject(
        adjustment_id=adjustment.pk, at=timezone.now(), by=request.user, reason=cleaned["reason"]
    )
    return _("The proposal is rejected; no money moved.")


def may_decide(request: HttpRequest, adjustment: Adjustment) -> bool:
    return adjustment.state == Adjustment.State.PROPOSED and adjustment.maker_id != request.user.pk


class WaitingFilter(admin.SimpleListFilter):
    title = gettext_lazy("waiting for")
    parameter_name = "waiting"

    def lookups(self, request, model_admin):
        return [
            ("me", _("Me")),
            ("others", _("Somebody else")),
            ("overdue", _("Anybody, for too long")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "overdue":
            return queryset.filter(pk__in=adjustments.overdue(at=timezone.now()))
        if self.value() not in ("me", "others"):
            return queryset
        waiting = queryset.filter(state=Adjustment.State.PROPOSED)
        mine = waiting.exclude(maker=request.user)
        return mine if self.value() == "me" else waiting.filter(maker=request.user)


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    list_display = ["number", "owner", "change", "kind", "now", "why", "maker", "proposed"]
    list_filter = [WaitingFilter, "state", "direction", "kind", ("proposed_at", DayRangeFilter)]
    list_select_related = ["customer", "maker"]
    search_fields = ["number", "=customer__number", "customer__name", "reason"]
    ordering = ["-pk"]
    actions_list = ["propose"]
    commands = [
        Command(
            name="approve",
            label=gettext_lazy("Approve"),
            permission="wallet.approve_adjustment",
            form=ApprovalForm,
            given=lambda request, row: {"initial": {"payload_sha256": row.payload_sha256}},
            parts=lambda request, row: proposal(row),
            run=approve,
            text=gettext_lazy("You confirm what stands beside; the money moves at once."),
            icon="circle-check",
            fits=may_decide,
            guard=fresh_proof_required,
        ),
        Command(
            name="reject",
            label=gettext_lazy("Reject"),
            permission="wallet.approve_adjustment",
            form=ReasonForm,
            parts=lambda request, row: proposal(row),
            run=reject,
            text=gettext_lazy("Nothing moves; the reason is kept."),
            icon="circle-x",
            dangerous=True,
            quiet=True,
            fits=may_decide,
            guard=fresh_proof_required,
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("attachment")

    def get_custom_urls(self):
        return [
            (
                "<int:object_id>/attachment/",
                "wallet_adjustment_attachment",
                self.attachment,
            )
        ]

    @display(description=gettext_lazy("customer"))
    def owner(self, adjustment: Adjustment):
        return link(adjustment.customer)

    @display(description=gettext_lazy("amount"), ordering="amount")
    def change(self, adjustment: Adjustment):
        return format_html('<span class="figure">{}</span>', money_words(adjustment))

    @display(description=gettext_lazy("state"), ordering="state")
    def now(self, adjustment: Adjustment):
        return badge(adjustment.state, adjustment.get_state_display())

    @display(description=gettext_lazy("reason"))
    def why(self, adjustment: Adjustment):
        return adjustment.reason[:60]

    @display(description=gettext_lazy("proposed"), ordering="proposed_at")
    def proposed(self, adjustment: Adjustment):
        return stamp(adjustment.proposed_at)

    def has_propose_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.has_perm("wallet.propose_adjustment")

    @action(
        description=gettext_lazy("Propose an adjustment"),
        url_path="propose",
        icon="add",
        permissions=["propose"],
    )
    def propose(self, request: HttpRequest) -> HttpResponse:
        posted = request.method == "POST"
        form = ProposalForm(
            request.POST if posted else None,
            request.FILES if posted else None,
            initial=_asked(request.GET),
        )
        if posted and (number := attempt(request, form, None, self._proposed)):
            messages.success(request, _("Proposed. Another person has to approve it."))
            return redirect(address(Adjustment.objects.only("pk").get(number=number)))
        others = form.others(at=timezone.now())
        if not others:
            del form.fields["once_more"]
        context = {
            "title": _("Propose an adjustment"),
            "text": _("Nothing moves until another person has approved it."),
            "form": form,
            "parts": warnings(form.owner, others) if form.owner else [],
            "submit": _("Propose"),
            "back": reverse("admin:wallet_adjustment_changelist"),
            "media": self.media + form.media,
            "status": 422 if posted else 200,
        }
        return page(self, request, "admin/command.html", context)

    def _proposed(self, request: StaffRequest, row: None, cleaned: dict) -> str:
        """
        Propose once per form, however often it is sent; return the proposal's number.
        """
        attached = cleaned["attachment"]
        content = attached.read() if attached else b""
        now = timezone.now()

        def act() -> tuple[int, str]:
            made = adjustments.propose(
                customer=cleaned["customer"],
                direction=cleaned["direction"],
                kind=cleaned["kind"],
                amount=cleaned["money"],
                reason=cleaned["reason"],
                bonus_expires_at=cleaned.get("bonus_expires_at"),
                attachment=adjustments.Attachment(attached.name, content) if attached else None,
                at=now,
                by=request.user,
                once_more=cleaned["once_more"],
            )
            return 201, made.number

        asked = [
            str(cleaned[name]) for name in ("customer", "direction", "kind", "money", "reason")
        ]
        return idempotency.run(
            scope=f"admin-adjustment:{request.user.pk}",
            key=cleaned["request_key"],
            fingerprint=idempotency.fingerprint(
                method="POST",
                path=request.path,
                body=[*asked, str(cleaned.get("bonus_expires_at")), content.hex()],
            ),
            at=now,
            act=act,
        ).body

    def attachment(self, request: HttpRequest, object_id: int, model_admin=None) -> HttpResponse:
        """
        Hand out what proves the reason, to be kept and not shown by the browser.
        """
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        row = Adjustment.objects.filter(pk=object_id).exclude(attachment=None).first()
        if row is None:
            raise Http404
        return HttpResponse(
            bytes(row.attachment or b""),
            content_type=row.attachment_type,
            headers={
                "Content-Disposition": content_disposition_header(True, row.attachment_name),
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "X-Content-Type-Options": "nosniff",
            },
        )

    def parts(self, request: HttpRequest, adjustment: Adjustment) -> list[Part]:
        return [
            *proposal(adjustment),
            Facts(
                title=_("Decision"),
                rows=[
                    (_("State"), badge(adjustment.state, adjustment.get_state_display())),
                    (_("Decided by"), link(adjustment.checker)),
                    (_("Decided at"), stamp(adjustment.decided_at, "seconds")),
                    (_("Remark"), adjustment.decision_note or None),
                    (_("Entry"), link(adjustment.entry) if adjustment.entry else None),
                ],
            ),
        ]


def _asked(query: QueryDict) -> dict[str, str]:
    """
    Return what the address fills the form in with; it is sent, perhaps changed, by a person.
    """
    fits = {
        "customer": is_number,
        "direction": Adjustment.Direction.values.__contains__,
        "kind": Adjustment.Kind.values.__contains__,
        "amount": lambda text: len(text) <= 40,
        "bonus_expires_on": lambda text: len(text) == len("2026-01-31"),
        "reason": lambda text: len(text) <= adjustments.REASON_LIMIT,
    }
    given = {name: query.get(name, "") for name in fits}
    return {name: text for name, text in given.items() if text and fits[name](text)}


def proposal(adjustment: Adjustment) -> list[Part]:
    """
    Return what is proposed and, while it waits, what the wallet has and would have.
    """
    currency = adjustment.amount.currency.code
    attached = "—"
    if adjustment.attachment_name:
        url = address(adjustment, "attachment")
        attached = format_html('<a href="{}" download>{}</a>', url, adjustment.attachment_name)
    expires = stamp(adjustment.bonus_expires_at) if adjustment.bonus_expires_at else None
    waits = adjustment.state == Adjustment.State.PROPOSED
    others = corrections.alike(
        customer=adjustment.customer,
        direction=adjustment.direction,
        amount=adjustment.amount,
        at=adjustment.proposed_at,
    ).exclude(pk=adjustment.pk)
    parts: list[Part] = [
        *(warnings(adjustment.customer, others) if waits else []),
        Facts(
            title=_("Proposal"),
            rows=[
                (_("Number"), adjustment.number),
                (_("Customer"), link(adjustment.customer)),
                (_("Direction"), adjustment.get_direction_display()),
                (_("Kind"), adjustment.get_kind_display()),
                (_("Amount"), format_html("<strong>{}</strong>", money_words(adjustment))),
                (_("Bonus expires"), expires),
                (_("Reason"), adjustment.reason),
                (_("Attachment"), attached),
                (_("Proposed by"), link(adjustment.maker)),
                (_("Proposed at"), stamp(adjustment.proposed_at, "seconds")),
                (
                    _("Hash of the proposal"),
                    format_html('<span class="digest">{}</span>', adjustment.payload_sha256),
                ),
            ],
        ),
    ]
    if waits:
        has = queries.balance(adjustment.customer, currency)
        before = has.bonus if adjustment.kind == Adjustment.Kind.BONUS else has.principal
        is_credit = adjustment.direction == Adjustment.Direction.CREDIT
        if not is_credit and adjustment.amount > min(before, has.available):
            parts.append(
                Text(
                    title=_("There is less than is to be taken"),
                    text=_("Until there is enough it cannot be approved."),
                    plain=True,
                    tone="warn",
                    wide=False,
                )
            )
        after = before + adjustment.amount if is_credit else before - adjustment.amount
        parts.append(
            Facts(
                title=_("Effect"),
                rows=[
                    (_("%(kind)s now") % {"kind": adjustment.get_kind_display()}, amount(before)),
                    (pgettext("adjustment", "Afterwards"), amount(after)),
                    (_("Available now"), amount(has.available)),
                ],
            )
        )
    return parts
