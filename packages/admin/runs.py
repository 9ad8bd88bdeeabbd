"""
Renewal runs: what each did, one more at once, or only rehearsed.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError
from unfold.decorators import action, display

from accounts.http import StaffRequest
from crm_billing.admin import (
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    badge,
    link,
    page,
    stamp,
)
from packages import tasks
from packages.admin.parked import RUN
from packages.models import RenewalRun, Subscription

SWEEP = "sweep-renewals"
SURELY_OVER = timedelta(hours=1)  # a run that has not ended by then died


def next_sweep() -> datetime | None:
    """
    Return when the clockwork sweeps next, by its record, which it writes every few minutes only;
    None before it has swept at all.
    """
    last = PeriodicTask.objects.filter(name=SWEEP, enabled=True).first()
    if last is None or last.last_run_at is None:
        return None
    return last.last_run_at + timedelta(seconds=settings.CELERY_BEAT_SCHEDULE[SWEEP]["schedule"])


def clockwork() -> Facts:
    now = timezone.now()
    coming = next_sweep()
    seconds = settings.CELERY_BEAT_SCHEDULE[SWEEP]["schedule"]
    return Facts(
        title=_("By itself"),
        rows=[
            (_("Sweeps every"), _("%(count)d seconds") % {"count": seconds}),
            (
                _("Next sweep"),
                _("at any moment") if coming and coming <= now else stamp(coming, "seconds"),
            ),
            (_("Due now"), str(Subscription.objects.due(now).count())),
        ],
    )


@admin.register(RenewalRun)
class RenewalRunAdmin(ReadOnlyAdmin):
    list_display = [
        "as_of",
        "kind",
        "state",
        "looked_at",
        "ok",
        "insufficient",
        "waiting",
        "failed",
        "ended",
        "paused",
        "took",
        "who",
    ]
    list_filter = ["is_rehearsal", ("at", DayRangeFilter)]
    list_select_related = ["started_by"]
    ordering = ["-pk"]
    actions_list = ["start", "rehearse"]

    @display(description=gettext_lazy("as of"), ordering="at")
    def as_of(self, run: RenewalRun):
        return stamp(run.at, "seconds")

    @display(description=gettext_lazy("kind"), ordering="is_rehearsal")
    def kind(self, run: RenewalRun):
        return _("Rehearsal") if run.is_rehearsal else _("Renewals")

    @display(description=gettext_lazy("state"))
    def state(self, run: RenewalRun):
        if run.finished_at:
            return badge("FAILED", _("With failures")) if run.failed else badge("DONE", _("Done"))
        if run.started_at < timezone.now() - SURELY_OVER:
            return badge("BROKEN", _("Never ended"))
        return badge("PROCESSING", _("Running"))

    @display(description=gettext_lazy("looked at"))
    def looked_at(self, run: RenewalRun):
        return run.looked_at

    @display(description=gettext_lazy("took"))
    def took(self, run: RenewalRun):
        seconds = ((run.finished_at or timezone.now()) - run.started_at).total_seconds()
        return _("%(seconds)s s") % {"seconds": f"{seconds:,.1f}"}

    @display(description=gettext_lazy("by"))
    def who(self, run: RenewalRun):
        return link(run.started_by) if run.started_by else _("the clockwork")

    def parts(self, request: HttpRequest, run: RenewalRun) -> list[Part]:
        return [
            Facts(
                title=_("Renewal run"),
                rows=[
                    (_("Kind"), self.kind(run)),
                    (_("State"), self.state(run)),
                    (_("As of"), stamp(run.at, "seconds")),
                    (_("Started at"), stamp(run.started_at, "seconds")),
                    (_("Ended at"), stamp(run.finished_at, "seconds")),
                    (_("Took"), self.took(run)),
                    (_("By"), self.who(run)),
                ],
            ),
            Facts(
                title=_("What it found"),
                rows=[
                    (_("Looked at"), str(run.looked_at)),
                    (_("Renewed"), str(run.ok)),
                    (_("Balance not enough"), str(run.insufficient)),
                    (_("Waiting for notice or for a frozen customer"), str(run.waiting)),
                    (_("Failed"), str(run.failed)),
                    (_("Ended"), str(run.ended)),
                    (_("Paused"), str(run.paused)),
                ],
            ),
            clockwork(),
        ]

    def has_run_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.has_perm(RUN)

    @action(
        description=gettext_lazy("Run now"),
        url_path="start",
        icon="play_arrow",
        permissions=["run"],
    )
    def start(self, request: StaffRequest) -> HttpResponse:
        return self._ask(
            request,
            rehearse=False,
            title=_("Run renewals now"),
            text=_(
                "What is due, announced in time and funded is charged and renewed, as the sweep "
                "would do by itself. Running it twice charges nothing twice."
            ),
        )

    @action(
        description=gettext_lazy("Rehearse"), url_path="rehearse", icon="quiz", permissions=["run"]
    )
    def rehearse(self, request: StaffRequest) -> HttpResponse:
        return self._ask(
            request,
            rehearse=True,
            title=_("Rehearse renewals"),
            text=_("Counts what a run would do now. Nothing is charged, changed or told."),
        )

    def _ask(self, request: StaffRequest, *, rehearse: bool, title: str, text: str) -> HttpResponse:
        if request.method == "POST":
            self._hand_over(request, rehearse)
            return redirect("admin:packages_renewalrun_changelist")
        context = {
            "title": title,
            "text": text,
            "parts": [clockwork()],
            "submit": title,
            "back": reverse("admin:packages_renewalrun_changelist"),
        }
        return page(self, request, "admin/command.html", context)

    def _hand_over(self, request: StaffRequest, rehearse: bool) -> None:
        asked = {"rehearse": rehearse, "user_id": request.user.pk}
        try:
            tasks.run_renewals.apply_async(kwargs=asked, retry=False)
        except OperationalError:
            messages.error(request, _("No worker can be reached. Try again in a minute."))
        else:
            messages.success(request, _("It has begun. Load this page again to see how far it is."))
