"""
The outbox: what is still to be done after a commit, and what was given up.
"""

import json

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from crm_billing import outbox
from crm_billing.admin.base import ReadOnlyAdmin
from crm_billing.admin.commands import Command
from crm_billing.admin.parts import Facts, Part, Text, badge, stamp
from crm_billing.models import Outbox


class ErrandStateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("waiting", _("Waiting")), ("parked", _("Parked")), ("sent", _("Sent"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Outbox]) -> QuerySet[Outbox]:
        match self.value():
            case "waiting":
                return queryset.filter(sent_at=None, parked_at=None)
            case "parked":
                return queryset.filter(parked_at__isnull=False)
            case "sent":
                return queryset.filter(sent_at__isnull=False)
        return queryset


def unpark(request: HttpRequest, errand: Outbox, cleaned: dict) -> str:
    count = outbox.unpark([errand.pk], at=timezone.now())
    return _said(count)


def _said(count: int) -> str:
    return ngettext(
        "%(count)d errand is on its way again.", "%(count)d errands are on their way again.", count
    ) % {"count": count}


@admin.register(Outbox)
class OutboxAdmin(ReadOnlyAdmin):
    list_display = ["name", "state", "attempts", "created", "next_try", "short_error"]
    list_filter = [ErrandStateFilter, "topic"]
    search_fields = ["topic", "key"]
    ordering = ["-pk"]
    actions = ["unpark_selected"]
    commands = [
        Command(
            name="unpark",
            label=gettext_lazy("Send on its way again"),
            permission="crm_billing.unpark_outbox",
            run=unpark,
            icon="send",
            at_once=True,
            fits=lambda request, errand: errand.parked_at is not None,
        )
    ]

    @display(description=gettext_lazy("errand"), ordering="topic")
    def name(self, errand: Outbox):
        return str(errand)

    @display(description=gettext_lazy("state"))
    def state(self, errand: Outbox):
        if errand.parked_at:
            return badge("PARKED", _("Parked"))
        return badge("SENT", _("Sent")) if errand.sent_at else badge("WAITING", _("Waiting"))

    @display(description=gettext_lazy("created at"), ordering="created_at")
    def created(self, errand: Outbox):
        return stamp(errand.created_at)

    @display(description=gettext_lazy("next try at"), ordering="next_try_at")
    def next_try(self, errand: Outbox):
        return stamp(None if errand.sent_at or errand.parked_at else errand.next_try_at)

    @display(description=gettext_lazy("last error"))
    def short_error(self, errand: Outbox):
        return errand.last_error[:80]

    def has_unpark_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crm_billing.unpark_outbox")

    @action(
        description=gettext_lazy("Send parked errands on their way again"), permissions=["unpark"]
    )
    def unpark_selected(self, request: HttpRequest, queryset: QuerySet[Outbox]) -> None:
        count = outbox.unpark(queryset.values_list("pk", flat=True), at=timezone.now())
        messages.success(request, _said(count))

    def parts(self, request: HttpRequest, errand: Outbox) -> list[Part]:
        return [
            Facts(
                title=_("Errand"),
                rows=[
                    (_("State"), self.state(errand)),
                    (_("Topic"), errand.topic),
                    (_("Key of the errand"), errand.key),
                    (_("Created at"), stamp(errand.created_at, "seconds")),
                    (_("Attempts"), errand.attempts),
                    (_("Next try"), stamp(errand.next_try_at, "seconds")),
                    (_("Sent at"), stamp(errand.sent_at, "seconds")),
                    (_("Parked at"), stamp(errand.parked_at, "seconds")),
                ],
            ),
            Text(
                title=_("Payload"),
                text=json.dumps(errand.payload, ensure_ascii=False, indent=2, sort_keys=True),
                wide=False,
            ),
            *([Text(title=_("Last error"), text=errand.last_error)] if errand.last_error else []),
        ]
