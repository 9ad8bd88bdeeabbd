"""
What packages tell on the pages of cases about charges.
"""

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from crm_billing.admin import Facts, Part, Text, amount, link, minor_amount, stamp
from crm_billing.money import parse, to_minor
from packages import sentinel
from packages.admin import giving_back
from packages.models import Charge, Dispute
from wallet import cases, entries
from wallet.admin.cases import ABOUT


def disputed(request: HttpRequest, case) -> list[Part]:
    """
    Show what the customer says, the charge it is about, and the way to give it back.
    """
    related = ("made_by", "charge__subscription", "charge__customer")
    dispute = Dispute.objects.select_related(*related).get(case=case)
    charge = dispute.charge
    told = entries.explain(
        entries.found(charge.customer, charge.entry_id), to=request.user, at=timezone.now()
    )
    reason = _("Charge #%(number)s of %(subscription)s was disputed (case #%(case)s).") % {
        "number": charge.pk,
        "subscription": charge.subscription.number,
        "case": case.pk,
    }
    return [
        Text(title=_("What the customer says"), text=dispute.words),
        Facts(
            title=_("The charge"),
            rows=[
                (_("Charge"), link(charge, f"#{charge.pk} {charge.get_kind_display()}")),
                (_("Subscription"), link(charge.subscription, charge.subscription.number)),
                (_("Amount"), minor_amount(charge.amount_minor, charge.currency)),
                (_("Charged"), stamp(charge.charged_at, "seconds")),
                (_("Disputed by"), str(dispute.made_by)),
                *giving_back.proposals(request, told, minor=charge.amount_minor, reason=reason),
            ],
        ),
        Text(
            text=_("The customer reads what is written when this case is resolved, word for word."),
            plain=True,
            tone="warn",
        ),
    ]


def suspected(request: HttpRequest, case) -> list[Part]:
    """
    Show why a charge looks wrong, what it took and the proposed way to give it back.
    """
    facts = case.facts
    entry = entries.found(case.customer, facts["entry"])
    told = entries.explain(entry, to=request.user, at=timezone.now())
    charge = Charge.objects.select_related("subscription").filter(pk=facts["charge"]).first()
    refund = parse(facts["refund"], facts["currency"])
    reasons = [sentinel.told(one, facts["currency"]) for one in facts["findings"]]
    reason = _("%(reference)s (case #%(case)s): %(reason)s") % {
        "reference": giving_back.number_of(told),
        "reason": " ".join(reasons),
        "case": case.pk,
    }
    return [
        Text(title=_("Why it looks wrong"), text="\n".join(reasons), tone="warn"),
        Facts(
            title=_("The charge"),
            rows=[
                (_("Charge"), charge and link(charge, f"#{charge.pk} {charge.get_kind_display()}")),
                (
                    _("Subscription"),
                    charge and link(charge.subscription, charge.subscription.number),
                ),
                (_("Entry"), link(entry)),
                (_("Amount"), amount(parse(facts["amount"], facts["currency"]))),
                (_("Occurred"), stamp(entry.occurred_at, "seconds")),
                (_("Proposed to give back"), amount(refund)),
                *giving_back.proposals(request, told, minor=to_minor(refund), reason=reason),
            ],
        ),
    ]


ABOUT[cases.Kind.CHARGE_DISPUTED] = disputed
ABOUT[cases.Kind.CHARGE_SUSPECT] = suspected
