"""
Telling customers before and after their money moves. What was told is kept word for word, and a
renewal is charged only when its notice has been out long enough.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused

import structlog
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override
from djmoney.money import Money

from accounts import customers
from accounts.models import Customer
from accounts.queries import billing_emails
from crm_billing import outbox
from crm_billing.errors import DomainError
from crm_billing.letters import message
from crm_billing.money import from_minor, to_minor
from crm_billing.transactions import money_transaction
from packages import bounces
from packages.models import (
    CouponUse,
    Notice,
    Pause,
    PriceAnnouncement,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
    UsageBill,
)
from packages.prices import EachTerm, Prices
from packages.telling import Told, said
from packages.wording import NOTICE_DAYS
from wallet import queries

log = structlog.get_logger(__name__)

NOTICE_AGE = timedelta(days=NOTICE_DAYS)
LEAD = timedelta(days=NOTICE_DAYS + 2)  # so that a mail server down for a day delays nothing
EXPIRY_DAYS = (30, 7, 1)
LOW_BALANCE_DAYS = (3, 1)
SETTLED_IN = timedelta(days=3)  # nobody is warned of the end of what has only just begun
BATCH = 1000
UNAGREED = PriceAnnouncement.objects.ending()  # to another price, without which it ends
NEW_PRICE = SubscriptionChange.objects.scheduled().filter(
    subscription=OuterRef("pk"), announcement__isnull=False
)
TO_PAUSE = Pause.objects.scheduled().filter(subscription=OuterRef("pk"))


class NobodyToTell(DomainError):
    """
    The customer has neither a billing address nor an active owner.
    """

    code = "nobody_to_tell"


class NothingToAnnounce(DomainError):
    """
    No renewal waits for this notice.
    """

    code = "nothing_to_announce"


def prepare(*, at: datetime) -> int:
    """
    Write the notices that are due and have them mailed; return how many. Again changes nothing.
    """
    return _announce_renewals(at) + _warn_of_ends(at) + _warn_of_low_balances(at)


@money_transaction
def write(notices: Collection[Told], *, at: datetime) -> int:
    """
    Keep notices and have them mailed after commit; those of a step told before are left out.
    """
    known = {
        (row.subscription_id, row.period_number, row.kind, row.step, row.code)
        for row in Notice.objects.filter(subscription__in={one.subscription.pk for one in notices})
    }
    rows = [
        _row(one, at)
        for one in notices
        if (one.subscription.pk, one.period_number, one.kind, one.step, one.code) not in known
    ]
    made = Notice.objects.bulk_create(rows)
    if made:
        outbox.put_many(
            topic="notice.send",
            errands={str(one.pk): {"notice_id": one.pk} for one in made},
            at=at,
        )
    return len(made)


def send(*, notice_id: int, at: datetime) -> None:
    """
    Mail a notice, unless it has been mailed, came back or does not apply any more.

    raises NobodyToTell: there is no address.
    raises OSError: the mail server is down, or refuses the mail. When it knows that every address
    is wrong, the notice has come back.
    """
    notice = Notice.objects.select_related("customer", "subscription").get(pk=notice_id)
    if notice.sent_at or notice.dropped_at or notice.bounced_at:
        return
    if not _applies(notice):
        Notice.objects.filter(pk=notice.pk, sent_at=None).update(dropped_at=at)
        return
    to = billing_emails(notice.customer)
    if not to:
        raise NobodyToTell("There is nobody to tell.", customer=notice.customer.number)
    letter = message(
        to=to,
        locale=notice.locale,
        subject=notice.subject,
        text=notice.text,
        key=f"notice:{notice.pk}",
        about=f"notice.{notice.pk}",
    )
    try:
        letter.send()
    except SMTPRecipientsRefused as refusal:
        if not bounces.is_final(refusal):
            raise
        said = next(iter(refusal.recipients.values()))[1].decode(errors="replace")
        bounces.record(notice_id=notice.pk, addresses=to, reason=said, at=at)
        return
    Notice.objects.filter(pk=notice.pk, sent_at=None, dropped_at=None, bounced_at=None).update(
        sent_at=at, sent_to=to
    )
    if notice.kind == Notice.Kind.RENEWAL:
        # A renewal that waited for this notice is looked at when it is old enough.
        Subscription.objects.exclude(state=Subscription.State.PAUSED).filter(
            pk=notice.subscription_id,
            period_number=notice.period_number - 1,
            next_try_at__gt=F("paid_until"),
            past_due_at=None,
            failures=0,
        ).update(next_try_at=at + NOTICE_AGE)


@money_transaction
def announce_again(*, notice_id: int, at: datetime) -> None:
    """
    Announce a renewal anew whose announcement came back, although the address is still the same.

    raises NothingToAnnounce: it did not come back, or nothing waits for it any more.
    """
    customers.lock(Notice.objects.values_list("customer_id", flat=True).get(pk=notice_id))
    related = ("subscription__customer", "subscription__package")
    notice = Notice.objects.holding_up().select_related(*related).filter(pk=notice_id).first()
    if notice is None or not _write_renewals([notice.subscription], Prices(), at):
        raise NothingToAnnounce(_("No renewal waits for this notice any more."))


def _announce_renewals(at: datetime) -> int:
    changed_since = SubscriptionChange.objects.filter(
        Q(made_at__gt=OuterRef("created_at")) | Q(revoked_at__gt=OuterRef("created_at")),
        subscription=OuterRef("subscription"),
    )
    used_since = CouponUse.objects.filter(
        Q(used_at__gt=OuterRef("created_at")) | Q(ended_at__gt=OuterRef("created_at")),
        subscription=OuterRef("subscription"),
    )
    paused_since = Pause.objects.open().filter(
        subscription=OuterRef("subscription"), asked_at__gte=OuterRef("created_at")
    )
    told = Notice.objects.filter(
        ~Exists(changed_since),
        ~Exists(used_since),
        ~Exists(paused_since),
        bounced_at=None,
        subscription=OuterRef("pk"),
        kind=Notice.Kind.RENEWAL,
        period_number=OuterRef("period_number") + 1,
    )
    coming = (
        Subscription.objects.live()
        .filter(
            ~Exists(told),
            ~Exists(TO_PAUSE),
            ~Exists(UNAGREED),
            Q(past_due_at=None) | Exists(NEW_PRICE),
            auto_renew=True,
            next_try_at__lte=at + LEAD,
            customer__status=Customer.Status.ACTIVE,
        )
        .select_related("customer", "package")
        .order_by("pk")
    )
    prices = Prices()
    count = 0
    for batch in _batches(coming):
        count += _write_renewals(bounces.reachable(batch), prices, at)
    return count


def _write_renewals(batch: Collection[Subscription], prices: Prices, at: datetime) -> int:
    terms = prices.next_terms(batch)
    lacking = _lacking(batch, terms)
    before = _told_before(batch)
    return write(
        [
            Told(
                subscription=one,
                kind=Notice.Kind.RENEWAL,
                period_number=one.period_number + 1,
                step=before.get((one.pk, one.period_number + 1), 0),
                amount=terms[one.pk].amount,
                due_at=max(_starts_at(one), at + NOTICE_AGE),
                lacking=lacking.get(one.pk),
            )
            for one in batch
            if terms[one.pk].amount.amount
        ],
        at=at,
    )


def _starts_at(subscription: Subscription) -> datetime:
    """
    Return when the next term is to begin: what is paused is looked at next when the pause ends.
    """
    if subscription.is_paused and subscription.next_try_at is not None:
        return subscription.next_try_at
    return subscription.paid_until


def _told_before(batch: Collection[Subscription]) -> dict[tuple[int, int], int]:
    """
    Return how often renewals have been announced: (subscription, period) -> times.
    """
    rows = Notice.objects.filter(subscription__in=batch, kind=Notice.Kind.RENEWAL)
    counted = rows.values_list("subscription_id", "period_number").annotate(Count("pk"))
    return {(subscription_id, number): times for subscription_id, number, times in counted}


def _warn_of_ends(at: datetime) -> int:
    ending = (
        Subscription.objects.live()
        .filter(
            Q(auto_renew=False) | Exists(UNAGREED),
            paid_until__gt=at,
            paid_until__lte=at + timedelta(days=max(EXPIRY_DAYS)),
        )
        .select_related("customer", "package")
        .order_by("pk")
    )
    return sum(write(list(_ends(batch, at)), at=at) for batch in _batches(ending))


def _ends(batch: list[Subscription], at: datetime) -> Iterable[Told]:
    starts = {
        (row.subscription_id, row.number): row.starts_at
        for row in SubscriptionPeriod.objects.filter(subscription__in=batch)
    }
    for one in batch:
        step = min(days for days in EXPIRY_DAYS if one.paid_until - timedelta(days=days) <= at)
        begun = starts[one.pk, one.period_number]
        if one.paid_until - timedelta(days=step) >= begun + SETTLED_IN:
            yield Told(
                subscription=one,
                kind=Notice.Kind.EXPIRY,
                period_number=one.period_number,
                step=step,
                amount=from_minor(0, one.currency),
                due_at=one.paid_until,
                asks=one.auto_renew,
            )


def _warn_of_low_balances(at: datetime) -> int:
    renewing = (
        Subscription.objects.live()
        .filter(
            ~Exists(TO_PAUSE),
            ~Exists(UNAGREED),
            auto_renew=True,
            past_due_at=None,
            next_try_at__gt=at,
            next_try_at__lte=at + timedelta(days=max(LOW_BALANCE_DAYS)),
        )
        .select_related("customer", "package")
        .order_by("customer_id", "next_try_at", "pk")
    )
    prices = Prices()
    count = 0
    for batch in _batches(renewing):
        terms = prices.next_terms(batch)
        lacking = _lacking(batch, terms)
        count += write(
            [
                Told(
                    subscription=one,
                    kind=Notice.Kind.LOW_BALANCE,
                    period_number=one.period_number + 1,
                    step=min(
                        days
                        for days in LOW_BALANCE_DAYS
                        if one.next_try_at - timedelta(days=days) <= at
                    ),
                    amount=terms[one.pk].amount,
                    due_at=one.next_try_at,
                    lacking=lacking[one.pk],
                )
                for one in batch
                if one.pk in lacking
            ],
            at=at,
        )
    return count


def _lacking(batch: Collection[Subscription], terms: Mapping[int, EachTerm]) -> dict[int, Money]:
    """
    Return what wallets lack for these renewals together: subscription -> what is missing by then.
    """
    free: dict[tuple[int, str], int] = {}
    for currency in {one.currency for one in batch}:
        having = queries.available_minor({one.customer_id for one in batch}, currency)
        free |= {(customer_id, currency): minor for customer_id, minor in having.items()}
    lacking = {}
    for one in batch:
        wallet = one.customer_id, one.currency
        wanted = to_minor(terms[one.pk].amount)
        free[wallet] = free.get(wallet, 0) - wanted
        if wanted and free[wallet] < 0:
            lacking[one.pk] = from_minor(-free[wallet], one.currency)
    return lacking


def _batches(subscriptions: QuerySet[Subscription]) -> Iterable[list[Subscription]]:
    """
    Yield a queryset in lists; what a batch writes does not change which rows come after it.
    """
    ids = list(subscriptions.values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        yield list(subscriptions.filter(pk__in=ids[start : start + BATCH]))


def _applies(notice: Notice) -> bool:
    """
    Tell whether what a notice says still comes true.
    """
    one = notice.subscription
    if notice.kind == Notice.Kind.EXPIRY:
        ends = one.will_end or Subscription.objects.filter(Exists(UNAGREED), pk=one.pk).exists()
        return ends and one.period_number == notice.period_number
    if notice.kind == Notice.Kind.PRICE:
        return one.is_live and notice.announces.move.revoked_at is None
    if notice.kind == Notice.Kind.QUOTA:
        return one.is_live and one.period_number == notice.period_number
    if notice.kind == Notice.Kind.USE_UNPAID:
        bills = UsageBill.objects.unpaid().filter(subscription=one)
        return bills.filter(period_number=notice.period_number).exists()
    if notice.kind == Notice.Kind.DUNNING:
        ended_by_it = one.ended_at == notice.due_at
        return ended_by_it or (one.is_past_due and one.period_number == notice.period_number - 1)
    pause = one.pauses.open().first()
    if pause is not None and (pause.begun_at is None or notice.due_at < pause.until):
        return False
    return one.is_live and one.auto_renew and one.period_number == notice.period_number - 1


def _row(told: Told, at: datetime) -> Notice:
    customer = told.subscription.customer
    with override(customer.locale):
        subject, text = said(told)
    return Notice(
        customer=customer,
        subscription=told.subscription,
        kind=told.kind,
        period_number=told.period_number,
        step=told.step,
        code=told.code,
        currency=told.subscription.currency,
        amount_minor=to_minor(told.amount),
        due_at=told.due_at,
        locale=customer.locale,
        subject=subject,
        text=text,
        created_at=at,
    )
