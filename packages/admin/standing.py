"""
How a subscription stands, for its page in the admin: the way of what is unpaid, pauses, changes.
"""

from datetime import datetime

from django.utils.translation import gettext as _

from crm_billing.admin import Facts, Part, Table, amount, badge, link, stamp
from packages import unpaid
from packages.models import DunningPolicy, Pause, Subscription, SubscriptionChange, WaitingChange

LATEST = 20


def standing(subscription: Subscription, *, at: datetime) -> list[Part]:
    """
    Return what is not ordinary about a subscription; nothing where all is. Read with `whole()`.
    """
    return [*_unpaid(subscription, at), *_pauses(subscription), *_changes(subscription)]


def _unpaid(subscription: Subscription, at: datetime) -> list[Part]:
    told = unpaid.tell(subscription, at=at)
    if told is None or subscription.past_due_at is None:
        return []
    policy = DunningPolicy.objects.current(subscription.past_due_at)
    return [
        Facts(
            title=_("Not paid"),
            rows=[
                (_("Since"), stamp(subscription.past_due_at)),
                (_("The renewal costs"), amount(told.amount)),
                (_("Missing in the wallet now"), amount(told.missing)),
                (_("When the money comes"), " ".join(told.helps)),
                (_("Goes by"), link(policy)),
            ],
        ),
        Table(
            title=_("What has happened, and what comes"),
            headers=[_("Day"), _("What"), _("State"), _("Message"), _("Stands")],
            rows=[
                (
                    stamp(step.at),
                    step.text,
                    badge(step.state, step.state_label) if step.state else None,
                    step.told or None,
                    _("done") if step.is_past else (_("next") if step.is_next else _("later")),
                )
                for step in told.steps
            ],
        ),
    ]


def _pauses(subscription: Subscription) -> list[Part]:
    known = subscription.pauses.select_related("asked_by", "consent").order_by("-pk")[:LATEST]
    if not known:
        return []
    return [
        Table(
            title=_("Pauses"),
            headers=[_("Asked for"), _("By"), _("Until"), _("Stands"), _("Consent")],
            rows=[
                (
                    stamp(one.asked_at),
                    link(one.asked_by),
                    stamp(one.until),
                    _pause_stands(one),
                    link(one.consent),
                )
                for one in known
            ],
        )
    ]


def _pause_stands(pause: Pause) -> str:
    if pause.revoked_at is not None:
        return _("Taken back")
    if pause.ended_at is not None:
        return _("Over")
    return _("Running") if pause.begun_at is not None else _("Scheduled")


def _changes(subscription: Subscription) -> list[Part]:
    related = ("to_version__package", "made_by", "consent")
    made = subscription.changes.select_related(*related).order_by("-pk")[:LATEST]
    related = ("to_version__package", "agreed_by", "consent", "topup")
    waiting = subscription.waiting_changes.filter(change=None).select_related(*related)
    parts: list[Part] = []
    if made:
        parts.append(
            Table(
                title=_("Changes"),
                headers=[_("Made"), _("By"), _("Price"), ">" + _("Seats"), _("Stands")],
                rows=[
                    (
                        stamp(one.made_at),
                        link(one.made_by),
                        link(one.to_version) if one.to_version else None,
                        None if one.to_seats is None else str(one.to_seats),
                        _change_stands(one),
                    )
                    for one in made
                ],
            )
        )
    if waiting:
        parts.append(
            Table(
                title=_("Changes that waited for money"),
                headers=[
                    _("Agreed"),
                    _("By"),
                    _("Price"),
                    ">" + _("Seats"),
                    ">" + _("At most"),
                    _("Top-up"),
                    _("Stands"),
                ],
                rows=[
                    (
                        stamp(one.agreed_at),
                        link(one.agreed_by),
                        link(one.to_version),
                        str(one.to_seats),
                        amount(one.due),
                        link(one.topup),
                        _waiting_stands(one),
                    )
                    for one in waiting.order_by("-pk")[:LATEST]
                ],
            )
        )
    return parts


def _change_stands(change: SubscriptionChange) -> str:
    if change.revoked_at is not None:
        return _("Taken back")
    return _("In force") if change.applied_at is not None else _("Scheduled")


def _waiting_stands(waiting: WaitingChange) -> str:
    return waiting.get_closed_because_display() if waiting.closed_at else _("Waiting for money")
