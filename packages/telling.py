"""
What notices say, in the reader's language: what happens when, and the one thing to do.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from djmoney.money import Money

from crm_billing.templatetags.ui import money
from packages import dunning, wording
from packages.dunning import Way
from packages.models import Notice, PriceMove, Subscription
from packages.terms import Component, spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """
    How far what is included of a feature is used up. goes_on: use beyond it is allowed.
    """

    component: Component
    quantity: Decimal
    goes_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    What one notice is to say. code: the feature a QUOTA is about; used: what it says of it.
    instead_of, move: of PRICE, what a term costs until then, and what was announced. asks: of
    EXPIRY, that it ends for want of an agreement to another price. way: of DUNNING.
    """

    subscription: Subscription
    kind: str
    period_number: int
    step: int
    amount: Money
    due_at: datetime
    lacking: Money | None = None
    code: str = ""
    used: Used | None = None
    instead_of: Money | None = None
    move: PriceMove | None = None
    asks: bool = False
    way: Way | None = None


def said(told: Told) -> tuple[str, str]:
    """
    Return subject and text: what happens when, and the one thing to do.
    """
    one = told.subscription
    page = settings.SITE_URL + reverse("packages:subscription", args=[one.number])
    top_up = settings.SITE_URL + reverse("wallet:topup-new")
    facts = {
        "package": one.package.called,
        "day": wording.shown_day(told.due_at, one.zone),
        "amount": money(told.amount),
        "page": page,
        "top_up": top_up,
        "lacking": money(told.lacking) if told.lacking else "",
        "price_page": settings.SITE_URL + reverse("packages:new-price", args=[one.number]),
    }
    match told.kind:
        case Notice.Kind.RENEWAL:
            subject = _("%(package)s renews on %(day)s for %(amount)s") % facts
            if one.is_paused:
                subject = _("%(package)s goes on on %(day)s for %(amount)s") % facts
            parts = [
                *([_("Its pause ends on %(day)s.") % facts] if one.is_paused else []),
                _("On %(day)s we take %(amount)s from your wallet for a new term of %(package)s.")
                % facts,
                _("Your balance lacks %(lacking)s for it. Top up before then: %(top_up)s") % facts
                if told.lacking
                else _("Your balance is enough; you need do nothing."),
                _("You can stop it until that day, in two clicks: %(page)s") % facts,
            ]
        case Notice.Kind.LOW_BALANCE:
            subject = _("Your balance lacks %(lacking)s for %(package)s on %(day)s") % facts
            parts = [
                _("On %(day)s %(package)s renews for %(amount)s. Your balance lacks %(lacking)s.")
                % facts,
                _("Top up before then, and it goes on without a break: %(top_up)s") % facts,
            ]
        case Notice.Kind.EXPIRY if told.asks:
            subject = _("%(package)s ends on %(day)s unless you agree to its new price") % facts
            parts = [
                _("%(package)s runs until %(day)s. It goes on only if you agree to the new price.")
                % facts,
                _("Look at it and decide here: %(price_page)s") % facts,
            ]
        case Notice.Kind.EXPIRY:
            subject = _("%(package)s ends on %(day)s") % facts
            parts = [
                _("%(package)s runs until %(day)s and does not renew by itself.") % facts,
                _("To keep it, switch renewal on before then: %(page)s") % facts,
            ]
        case Notice.Kind.USE_UNPAID:
            subject = _("%(amount)s for the use of %(package)s is not paid") % facts
            parts = [
                _("Your balance was not enough for the use of %(package)s: %(amount)s.") % facts,
                _("What is included goes on; use beyond it waits until this is paid."),
                _("Top up, and it is paid at once: %(top_up)s") % facts,
            ]
        case Notice.Kind.PRICE if told.move is not None and told.instead_of is not None:
            return _said_of_price(told.move, told.instead_of, facts)
        case Notice.Kind.QUOTA if told.used is not None:
            return _said_of_quota(told, told.used, facts)
        case Notice.Kind.DUNNING if told.way is not None:
            return _said_of_dunning(told, told.way, facts)
        case _:
            raise ValueError(f"Nothing is told of {told.kind} without what it is about")
    return subject, "\n\n".join(parts)


def _said_of_price(move: PriceMove, instead_of: Money, facts: dict[str, str]) -> tuple[str, str]:
    told = {**facts, "old": money(instead_of), "why": spoken(move.reason, move.reason_en)}
    subject = _("%(package)s costs %(amount)s a term from %(day)s on") % told
    parts = [
        _(
            "From the first term on that begins on %(day)s or later, %(package)s costs %(amount)s "
            "a term instead of %(old)s."
        )
        % told,
        _("Why: %(why)s") % told,
    ]
    if move.is_no_worse:
        parts.append(_("You need do nothing. All that changes stands here: %(price_page)s") % told)
    else:
        parts += [
            _("It holds only if you agree: %(price_page)s") % told,
            _(
                "If you do not, nothing more is charged: it ends with the last term at the old "
                "price."
            ),
        ]
    return subject, "\n\n".join(parts)


def _said_of_quota(told: Told, use: Used, facts: dict[str, str]) -> tuple[str, str]:
    one = use.component
    more = {
        "package": facts["package"],
        "day": facts["day"],
        "feature": one.called,
        "percent": told.step,
        "used": f"{wording.number(use.quantity)} {one.counted_in}".strip(),
        "included": f"{wording.number(one.included)} {one.counted_in}".strip(),
        "limits": settings.SITE_URL + reverse("packages:limits"),
    }
    subject = _("%(feature)s: %(percent)s %% of what %(package)s includes is used") % more
    if use.goes_on:
        beyond = _("Use beyond it is charged when the term ends, as you allowed.")
    elif told.step >= 100:
        beyond = _("It has stopped: use beyond it is not allowed.")
    else:
        beyond = _("When it is used up, it stops: use beyond it is not allowed.")
    return subject, "\n\n".join(
        [
            _("%(used)s of %(included)s are used. It is counted anew from %(day)s.") % more,
            beyond,
            _("What use may cost, you decide here: %(limits)s") % more,
        ]
    )


def _said_of_dunning(told: Told, way: Way, facts: dict[str, str]) -> tuple[str, str]:
    zone = told.subscription.zone
    told_of = {
        **facts,
        "since": wording.shown_day(way.since, zone),
        "restricted": wording.shown_day(way.reaches(dunning.RESTRICTED), zone),
        "kept": wording.shown_day(told.due_at + way.rules.data_kept, zone),
    }
    state = dunning.standing(way, at=told.due_at).state
    if state == dunning.ENDED:
        return _("%(package)s has ended") % told_of, "\n\n".join(
            [
                _("%(package)s has not been paid since %(since)s and has ended.") % told_of,
                _("Your data are kept until %(kept)s. To go on, buy it again: %(page)s") % told_of,
            ]
        )
    now = {
        dunning.PAST_DUE: _("It works as before until %(restricted)s.") % told_of,
        dunning.RESTRICTED: _("From now on you can read, but change nothing."),
        dunning.SUSPENDED: _("It is suspended from now on."),
    }[state]
    return _("%(package)s could not be renewed") % told_of, "\n\n".join(
        [
            _("We could not take %(amount)s for %(package)s: your balance is not enough.")
            % told_of,
            now,
            _("Top up, and it is renewed at once: %(top_up)s") % told_of,
        ]
    )
