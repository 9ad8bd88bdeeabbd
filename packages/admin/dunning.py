"""
The rules of dunning: every version to read, and a new one to publish after a look at what changes.
"""

import re
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import (
    NOTHING,
    Comparison,
    Facts,
    LookForm,
    MomentField,
    Part,
    RulesAdmin,
    Table,
    badge,
    link,
    look_and_publish,
    stamp,
)
from packages import policies
from packages.admin.shown import affected_table
from packages.dunning import ENDED, PAST_DUE, RESTRICTED, STATES, SUSPENDED, Rules, Step
from packages.models import DunningPolicy, Subscription
from packages.models.dunning import LEAD, LONGEST_KEPT_DAYS
from packages.policies import PUBLISH

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MAIL = "mail"
LINE = re.compile(r"(\d{1,4})\s*([hd])\s+([a-z_]+)(?:\s+(mail))?", re.IGNORECASE)


class DunningForm(LookForm):
    """
    The rules of a new version, one step a line.
    """

    steps = forms.CharField(
        label=gettext_lazy("Steps"),
        max_length=2_000,
        help_text=gettext_lazy(
            "One step a line: how long after the first failure (0h, 6h, 7d), the state (PAST_DUE, "
            "RESTRICTED, SUSPENDED, ENDED), and mail where there is a message. Each step tries to "
            "charge again, the last one ends the subscription."
        ),
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "autocomplete": "off"}),
    )
    data_kept_days = forms.IntegerField(
        label=gettext_lazy("Days data are kept after the end"),
        min_value=1,
        max_value=LONGEST_KEPT_DAYS,
    )
    valid_from = MomentField(
        label=gettext_lazy("Valid from"),
        required=False,
        help_text=gettext_lazy("Empty: an hour after it is published, the earliest there is."),
    )

    def clean_steps(self) -> tuple[Step, ...]:
        lines = [line.strip() for line in self.cleaned_data["steps"].splitlines()]
        steps, unreadable = [], []
        for place, line in enumerate(lines, start=1):
            found = LINE.fullmatch(line)
            if found and found[3].upper() in STATES:
                after = int(found[1]) * (DAY if found[2] in "dD" else HOUR)
                steps.append(Step(after, found[3].upper(), tells=bool(found[4])))
            elif line:
                unreadable.append(place)
        if unreadable:
            raise forms.ValidationError(
                [
                    _("Line %(place)s is no step. Write it like: 7d RESTRICTED mail")
                    % {"place": place}
                    for place in unreadable
                ]
            )
        return tuple(steps)

    @property
    def rules(self) -> Rules:
        said = self.cleaned_data
        return Rules(steps=said["steps"], data_kept=timedelta(days=said["data_kept_days"]))

    @property
    def asked(self) -> dict[str, Any]:
        return {"valid_from": self.cleaned_data["valid_from"], "rules": self.rules}

    @property
    def follows(self) -> object:
        return DunningPolicy.objects.latest("pk").pk


def entries_of(rules: Rules) -> dict[str, Any]:
    """
    Return the entries of a form that would make the same rules again.
    """
    return {
        "steps": "\n".join(_line(step) for step in rules.steps),
        "data_kept_days": rules.data_kept.days,
    }


def _line(step: Step) -> str:
    in_days = step.after and not step.after % DAY
    after = f"{step.after // DAY}d" if in_days else f"{step.after // HOUR}h"
    return f"{after} {step.state} {MAIL if step.tells else ''}".rstrip()


def span(after: timedelta) -> str:
    """
    Say how long after the first failure: 6 hours, 7 days.
    """
    if not after:
        return _("at once")
    if after % DAY:
        hours = after // HOUR
        return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}
    return ngettext("%(count)s day", "%(count)s days", after.days) % {"count": after.days}


def began(rules: Rules, state: str) -> str:
    return span(next(step.after for step in rules.steps if step.state == state))


def told(rules: Rules) -> list[tuple[Any, Any]]:
    """
    Return what rules say, name by name.
    """
    tries = " · ".join(span(step.after) for step in rules.steps if step.state != ENDED)
    mails = " · ".join(span(step.after) for step in rules.steps if step.tells)
    return [
        (_("Can only be read after"), began(rules, RESTRICTED)),
        (_("Suspended after"), began(rules, SUSPENDED)),
        (_("Ended after"), began(rules, ENDED)),
        (_("Tried to charge"), tries),
        (_("Messages"), mails),
        (_("Data are kept after the end"), span(rules.data_kept)),
    ]


def steps_table(title: str, rules: Rules) -> Table:
    before, rows = "", []
    for step in rules.steps:
        begins = step.state != before
        label = Subscription.State(step.state).label
        tried = _("First failure") if step.state == PAST_DUE and begins else _("Tried again")
        rows.append(
            (
                span(step.after),
                _("Ends without another try") if step.state == ENDED else tried,
                badge(step.state, label) if begins else None,
                _("by e-mail") if step.tells else None,
            )
        )
        before = step.state
    headers = [_("After the first failure"), _("What"), _("State"), _("Message")]
    return Table(title=title, headers=headers, rows=rows)


def changes(policy: DunningPolicy) -> list[Part]:
    """
    Show a version that is not yet written beside the one it follows, and whom it concerns.
    """
    before, after = policies.before_it(policy), policies.after_it(policy)
    return [
        affected_table(policies.affected()),
        Comparison(
            title=_("What changes"),
            left=_("Until then (%(version)s)") % {"version": before},
            right=_("New rules"),
            rows=[
                (_("Valid from"), stamp(before.valid_from), stamp(policy.valid_from)),
                (
                    _("Valid until"),
                    stamp(policy.valid_from),
                    stamp(after.valid_from) if after else NOTHING,
                ),
                *(
                    (name, old, new)
                    for (name, old), (_name, new) in zip(
                        told(before.rules), told(policy.rules), strict=True
                    )
                ),
            ],
        ),
        steps_table(_("The new steps"), policy.rules),
    ]


@admin.register(DunningPolicy)
class DunningPolicyAdmin(RulesAdmin):
    list_display = ["__str__", "since", "restricted", "suspended", "ended", "kept"]
    ordering = ["-valid_from"]
    permission = PUBLISH
    guard = staticmethod(fresh_proof_required)

    @display(description=gettext_lazy("valid from"), ordering="valid_from")
    def since(self, policy: DunningPolicy):
        return stamp(policy.valid_from)

    @display(description=gettext_lazy("restricted after"))
    def restricted(self, policy: DunningPolicy):
        return began(policy.rules, RESTRICTED)

    @display(description=gettext_lazy("suspended after"))
    def suspended(self, policy: DunningPolicy):
        return began(policy.rules, SUSPENDED)

    @display(description=gettext_lazy("ended after"))
    def ended(self, policy: DunningPolicy):
        return began(policy.rules, ENDED)

    @display(description=gettext_lazy("data kept"), ordering="data_kept_days")
    def kept(self, policy: DunningPolicy):
        return span(policy.rules.data_kept)

    def parts(self, request: HttpRequest, policy: DunningPolicy) -> list[Part]:
        return [
            Facts(
                title=_("Dunning policy"),
                rows=[
                    (_("Valid from"), stamp(policy.valid_from)),
                    *told(policy.rules),
                    (_("Made"), stamp(policy.created_at)),
                    (_("Made by"), link(policy.created_by)),
                ],
                wide=True,
            ),
            steps_table(_("Steps"), policy.rules),
        ]

    def look(self, request: StaffRequest) -> HttpResponse:
        sent = request.POST if request.method == "POST" else None
        like = self.liked(request) or DunningPolicy.objects.current(timezone.now())
        form = DunningForm(sent, initial=entries_of(like.rules))
        return look_and_publish(
            self,
            request,
            form,
            check=policies.check,
            publish=policies.publish,
            changes=changes,
            published=_("The new rules are published."),
            lead=LEAD,
            context={
                "title": _("Publish new rules"),
                "text": _(
                    "Rules never change: a new version begins. What is not paid already goes on by "
                    "the rules it began under."
                ),
                "back": reverse("admin:packages_dunningpolicy_changelist"),
            },
        )
