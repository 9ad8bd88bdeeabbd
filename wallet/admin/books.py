"""
The proof of the books: stops of all money, the check, the seal.
"""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import (
    Command,
    Facts,
    Part,
    ReadOnlyAdmin,
    badge,
    link,
    stamp,
)
from wallet import freezes, seal
from wallet.models import Freeze, JournalEntry, SealBlock


def lift(request: StaffRequest, freeze: Freeze, cleaned: dict) -> str:
    freezes.lift(freeze_id=freeze.pk, at=timezone.now(), by=request.user)
    return _("Money moves again.")


@admin.register(Freeze)
class FreezeAdmin(ReadOnlyAdmin):
    """
    Stops of all money writes; and the check that sets them, run on demand.
    """

    list_display = ["reason", "since", "now", "lifted", "lifted_by"]
    list_select_related = ["lifted_by"]
    ordering = ["-pk"]
    commands = [
        Command(
            name="lift",
            label=gettext_lazy("Let money move again"),
            permission="wallet.lift_freeze",
            run=lift,
            text=gettext_lazy(
                "The books are checked once more; as long as they do not prove, the stop stays."
            ),
            icon="lock-open",
            fits=lambda request, freeze: freeze.lifted_at is None,
            guard=fresh_proof_required,
        )
    ]

    def get_custom_urls(self):
        return [("check/", "wallet_freeze_check", self.check_now)]

    @display(description=gettext_lazy("stopped at"), ordering="at")
    def since(self, freeze: Freeze):
        return stamp(freeze.at, "seconds")

    @display(description=gettext_lazy("state"))
    def now(self, freeze: Freeze):
        if freeze.lifted_at:
            return badge("CLOSED", _("Lifted"))
        return badge("FROZEN", _("In force"))

    @display(description=gettext_lazy("lifted"), ordering="lifted_at")
    def lifted(self, freeze: Freeze):
        return stamp(freeze.lifted_at, "seconds")

    def check_now(self, request: HttpRequest, model_admin=None) -> HttpResponse:
        """
        Check the books and remember the result; where they do not prove, all money stops.
        """
        if not request.user.has_perm("wallet.lift_freeze"):
            raise PermissionDenied
        if request.method == "POST":
            now = timezone.now()
            seal.seal(at=now)
            if found := freezes.check_books(at=now):
                messages.error(
                    request,
                    _("The books do not prove: %(codes)s.") % {"codes": ", ".join(sorted(found))},
                )
            else:
                messages.success(request, _("The books prove."))
        return redirect("admin:index")

    def parts(self, request: HttpRequest, freeze: Freeze) -> list[Part]:
        return [
            Facts(
                title=_("Stop of all money"),
                rows=[
                    (_("Reason"), freeze.reason),
                    (_("State"), self.now(freeze)),
                    (_("Stopped at"), stamp(freeze.at, "seconds")),
                    (_("Lifted at"), stamp(freeze.lifted_at, "seconds")),
                    (_("Lifted by"), link(freeze.lifted_by)),
                ],
                wide=True,
            )
        ]


@admin.register(SealBlock)
class SealBlockAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "entries", "first", "last", "sealed"]
    search_fields = ["=sha256", "=prev_sha256"]
    ordering = ["-pk"]

    @display(description=gettext_lazy("First entry"), ordering="first_entry_id")
    def first(self, block: SealBlock):
        return f"#{block.first_entry_id}"

    @display(description=gettext_lazy("Last entry"), ordering="last_entry_id")
    def last(self, block: SealBlock):
        return f"#{block.last_entry_id}"

    @display(description=gettext_lazy("sealed"), ordering="sealed_at")
    def sealed(self, block: SealBlock):
        return stamp(block.sealed_at, "seconds")

    def parts(self, request: HttpRequest, block: SealBlock) -> list[Part]:
        entries = JournalEntry.objects.in_bulk([block.first_entry_id, block.last_entry_id])
        return [
            Facts(
                title=_("Seal block"),
                rows=[
                    (_("Hash"), block.sha256),
                    (_("Hash before it"), block.prev_sha256),
                    (_("Entries"), block.entries),
                    (_("First entry"), link(entries.get(block.first_entry_id))),
                    (_("Last entry"), link(entries.get(block.last_entry_id))),
                    (_("Sealed at"), stamp(block.sealed_at, "seconds")),
                    (_("Format"), block.format_version),
                ],
                wide=True,
            )
        ]
