"""
What other packages brought to the admin: hidden, or shown in our dress.

Log-ins, second factors and sessions belong to the people they protect; the clock is set in code.
A password is changed in one place only, where allauth mails its owner about it.
"""

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.decorators import display

from crm_billing.admin.base import ReadOnlyAdmin
from crm_billing.admin.parts import Facts, Part, stamp

FOREIGN = [
    Authenticator,
    ClockedSchedule,
    CrontabSchedule,
    EmailAddress,
    EmailConfirmation,
    Group,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
    UserSession,
]

for model in FOREIGN:
    if admin.site.is_registered(model):
        admin.site.unregister(model)


def password_change(request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
    return redirect("account_change_password")


admin.site.password_change = password_change  # type: ignore[assignment, method-assign]


_all_urls = admin.site.get_urls


def get_urls() -> list[URLPattern | URLResolver]:
    """
    Leave out "view on site": nothing here has a page there, and it looks into any table.
    """
    return [one for one in _all_urls() if getattr(one, "name", "") != "view_on_site"]


admin.site.get_urls = get_urls  # type: ignore[method-assign]


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    list_display = ["name", "rhythm", "enabled", "last_run", "total_run_count"]
    list_filter = ["enabled"]
    list_select_related = ["interval", "crontab", "solar", "clocked"]
    search_fields = ["name", "task"]
    ordering = ["name"]

    @display(description=gettext_lazy("rhythm"))
    def rhythm(self, task: PeriodicTask):
        return str(task.scheduler)

    @display(description=gettext_lazy("last run"), ordering="last_run_at")
    def last_run(self, task: PeriodicTask):
        return stamp(task.last_run_at, "seconds")

    def parts(self, request: HttpRequest, task: PeriodicTask) -> list[Part]:
        return [
            Facts(
                title=_("Periodic task"),
                rows=[
                    (_("Name"), task.name),
                    (_("Task"), task.task),
                    (_("Rhythm"), str(task.scheduler)),
                    (_("On"), _("Yes") if task.enabled else _("No")),
                    (_("Last run"), stamp(task.last_run_at, "seconds")),
                    (_("Runs so far"), task.total_run_count),
                ],
            )
        ]
