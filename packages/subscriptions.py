"""
Commands about what customers have bought. Whatever is shown before is what is posted after.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from django.db.models import Q
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts import consents, customers
from accounts.consents import Circumstances
from accounts.customers import NotAllowed
from accounts.models import Consent, Customer, Member, User
from accounts.queries import role_in
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.transactions import money_transaction
from packages import changes, charges, periods, queries, quotes, wording
from packages.catalogue import NotOnSale
from packages.changes import Planned
from packages.models import (
    Charge,
    Package,
    PriceQuote,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
)
from packages.models.subscriptions import MOST_SEATS
from packages.terms import NO_TERM, SEAT, Terms
from wallet import numbers, spending

log = structlog.get_logger(__name__)

CANCEL = "packages.cancel_subscription"
HONOURED_FOR = timedelta(minutes=30)  # a change as it was shown


class AlreadySubscribed(DomainError):
    """
    The customer has this package; `data["number"]` is its subscription.
    """

    code = "already_subscribed"


class BadSeats(DomainError):
    """
    So many seats are not sold.
    """

    code = "bad_seats"


class SubscriptionEnded(DomainError):
    """
    It has ended; a new one must be bought.
    """

    code = "subscription_ended"


class ChangeStale(DomainError):
    """
    What was shown does not hold any more.
    """

    code = "change_stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """
    How a subscription would begin.

    quote: the price of the first paid term. due: what it takes from the wallet now, nothing for a
    trial. each_term: what each renewal costs before usage.
    starts_at, ends_at: of the first period, the trial where there is one.
    anchor_on: the day paid periods are counted from.
    """

    terms: Terms
    quote: quotes.Quote
    due: Money
    has_trial: bool
    starts_at: datetime
    ends_at: datetime
    anchor_on: date
    zone: str

    @property
    def each_term(self) -> Money:
        return self.quote.each_term


def first(*, customer: Customer, price_version: PriceVersion, seats: int, at: datetime) -> First:
    """
    Return how a customer's subscription would begin now. Reads only.

    price_version: read with `whole()`.
    raises NotOnSale: it is no package with terms.
    raises BadSeats: fewer than one, or more than are sold.
    """
    terms = price_version.terms
    kind = price_version.package.kind
    if kind == Package.Kind.TOP_UP or terms.interval == NO_TERM:
        raise NotOnSale(_("This is bought once, not subscribed to."))
    _require_seats(terms, seats)
    quote = quotes.price(terms, seats=seats)
    zone = customer.time_zone
    today = periods.day_in(at, zone)
    has_trial = bool(terms.trial_days) and not queries.had(customer, price_version.package)
    if has_trial:
        starts_at, ends_at = periods.days(today, terms.trial_days, zone)
        anchor_on = periods.day_in(ends_at, zone)
    else:
        starts_at, ends_at = periods.span(today, terms.interval, 0, zone)
        anchor_on = today
    return First(
        terms=terms,
        quote=quote,
        due=quote.at_start * 0 if has_trial else quote.at_start,
        has_trial=has_trial,
        starts_at=starts_at,
        ends_at=ends_at,
        anchor_on=anchor_on,
        zone=zone,
    )


def agreement(version: PriceVersion, begun: First, *, auto_renew: bool) -> str:
    """
    Return what a customer agrees to by subscribing, in the active language.
    """
    return wording.agreement(
        version.package.called,
        begun.quote,
        auto_renew=auto_renew,
        zone=begun.zone,
        trial_until=begun.ends_at if begun.has_trial else None,
        now=True,
    )


def renewal_agreement(subscription: Subscription) -> str:
    """
    Return what a customer agrees to by switching renewals on, in the active language.

    subscription: read with `whole()`.
    """
    return wording.agreement(
        subscription.package.called,
        quotes.price(subscription.price_version.terms, seats=subscription.seats),
        auto_renew=True,
        zone=subscription.zone,
    )


@money_transaction
def subscribe(
    *,
    customer: Customer,
    price_version: PriceVersion,
    seats: int = 1,
    auto_renew: bool,
    at: datetime,
    by: User | None = None,
    quote: PriceQuote | None = None,
    consent: Consent | None = None,
    circumstances: Circumstances | None = None,
) -> Subscription:
    """
    Begin a subscription and take its first term from the wallet, all or nothing.

    A trial takes nothing. The terms of charging are kept as a consent, in the active language.

    auto_renew: whether the customer agreed that it renews by itself.
    by: an owner or a finance person of the customer; None for the house itself.
    quote: the one that was shown, whose price holds though its sale may have ended.
    consent: given before; else it is given now.
    raises NotAllowed: `by` may not spend.
    raises CustomerFrozen, CustomerClosed: the customer moves no money.
    raises NotOnSale: the price is not offered to this customer now.
    raises BadSeats: so many are not sold.
    raises AlreadySubscribed: the customer has the package.
    raises InsufficientFunds: less is available; `data["available"]` says how much.
    """
    customer = customers.lock(customer.pk)
    _require_right(by, customer.pk)
    customers.require_active(customer)
    version = PriceVersion.objects.whole().get(pk=price_version.pk)
    if quote is None and not is_offered(version, customer, at):
        raise NotOnSale(_("This price is not offered any more. Choose again."))
    require_new(customer, version.package)
    begun = first(customer=customer, price_version=version, seats=seats, at=at)
    if consent is None:
        consent = consents.record(
            customer=customer,
            purpose=Consent.Purpose.SUBSCRIBE,
            text=agreement(version, begun, auto_renew=auto_renew),
            version=version.terms_version,
            at=at,
            by=by,
            circumstances=circumstances,
        )
    subscription = _begin(customer, version, begun, seats, auto_renew, consent, at, by)
    log.info(
        "subscription.begun",
        number=subscription.number,
        customer=customer.number,
        due_minor=to_minor(begun.due),
        by=by and by.pk,
    )
    return subscription


@money_transaction
def cancel(*, subscription_id: int, at: datetime, by: User | None = None) -> Subscription:
    """
    Let a subscription end with what is paid; what is not paid any more ends at once.

    Cancelling again changes nothing. Until the end `renew_automatically` takes it back.

    by: an owner or a finance person, staff with `packages.cancel_subscription`, or None.
    raises NotAllowed: `by` is none of them.
    raises SubscriptionEnded: it is over.
    """
    subscription = lock(subscription_id)
    if not (by and by.is_active and by.is_staff and by.has_perm(CANCEL)):
        _require_right(by, subscription.customer_id)
    _require_live(subscription)
    if subscription.cancelled_at is not None:
        return subscription
    subscription.auto_renew = False
    subscription.cancelled_at, subscription.cancelled_by = at, by
    if subscription.paid_until <= at:
        _end(subscription, at)
    subscription.save()
    log.info("subscription.cancelled", number=subscription.number, by=by and by.pk)
    return subscription


@money_transaction
def renew_automatically(
    *,
    subscription_id: int,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> Subscription:
    """
    Switch renewals on by a recorded consent; this also takes a cancellation back.

    raises NotAllowed: `by` may not spend for the customer.
    raises SubscriptionEnded: it is over.
    """
    subscription = lock(subscription_id)
    _require_right(by, subscription.customer_id)
    _require_live(subscription)
    if subscription.auto_renew:
        return subscription
    subscription.consent = consents.record(
        customer=subscription.customer,
        purpose=Consent.Purpose.AUTO_RENEW,
        text=renewal_agreement(subscription),
        version=subscription.price_version.terms_version,
        at=at,
        by=by,
        circumstances=circumstances,
    )
    subscription.auto_renew = True
    subscription.cancelled_at = subscription.cancelled_by = None
    subscription.save()
    log.info("subscription.renews", number=subscription.number, by=by and by.pk)
    return subscription


def is_offered(version: PriceVersion, customer: Customer, at: datetime) -> bool:
    """
    Tell whether a customer may buy a price at a moment.
    """
    return PriceVersion.objects.on_sale(at).offered_to(customer).filter(pk=version.pk).exists()


def require_new(customer: Customer, package: Package) -> None:
    """
    Refuse a second subscription to the same package.

    raises AlreadySubscribed: as it says.
    """
    held = Subscription.objects.live().filter(customer=customer, package=package).first()
    if held is not None:
        raise AlreadySubscribed(_("You have this package already."), number=held.number)


@money_transaction
def change(
    *,
    subscription_id: int,
    price_version: PriceVersion | None = None,
    seats: int | None = None,
    at: datetime,
    by: User | None = None,
    quoted_at: datetime | None = None,
    circumstances: Circumstances | None = None,
) -> SubscriptionChange:
    """
    Give a subscription another price, of its package or another, or another number of seats.

    What costs more holds at once and takes its share of the term from the wallet; what costs less
    waits for the next term and can be revoked until then. See `changes.plan`.

    quoted_at: when `changes.plan` was shown, at most HONOURED_FOR ago; the same is taken now.
    raises NotAllowed, CustomerFrozen, CustomerClosed, NotOnSale, BadSeats, AlreadySubscribed,
    InsufficientFunds: as `subscribe`.
    raises SubscriptionEnded: it is over.
    raises NothingChanges, NotNow: as `changes.plan`.
    raises ChangeStale: it was shown too long ago, or something has changed since.
    """
    subscription = lock(subscription_id)
    _require_right(by, subscription.customer_id)
    customers.require_active(subscription.customer)
    _require_live(subscription)
    shown_at = quoted_at or at
    _require_fresh(subscription, shown_at, at)
    version = _wanted(subscription, price_version, shown_at)
    wanted_seats = subscription.seats if seats is None else seats
    _require_seats(version.terms, wanted_seats)
    planned = changes.plan(subscription, version=version, seats=wanted_seats, at=shown_at)
    consent = consents.record(
        customer=subscription.customer,
        purpose=Consent.Purpose.CHANGE,
        text=wording.change_agreement(planned, subscription),
        version=version.terms_version,
        at=at,
        by=by,
        circumstances=circumstances,
    )
    made = _write_down(subscription, planned, consent, at, by)
    if planned.at_once:
        _apply(subscription, planned, made, at, by)
    log.info(
        "subscription.changed",
        number=subscription.number,
        at_once=planned.at_once,
        due_minor=to_minor(planned.due),
        by=by and by.pk,
    )
    return made


@money_transaction
def revoke_change(*, change_id: int, at: datetime, by: User | None = None) -> SubscriptionChange:
    """
    Take back what was to happen when the term ends. Revoking again changes nothing.

    raises NotAllowed: `by` may not spend for the customer.
    raises ChangeStale: it is in force already.
    """
    made = SubscriptionChange.objects.get(pk=change_id)
    subscription = lock(made.subscription_id)
    _require_right(by, subscription.customer_id)
    made.refresh_from_db()
    if made.applied_at is not None:
        raise ChangeStale(_("This change is in force already."))
    if made.revoked_at is None:
        made.revoked_at = at
        made.save(update_fields=["revoked_at"])
    return made


def lock(subscription_id: int) -> Subscription:
    """
    Lock a subscription, its customer first, until the transaction ends.
    """
    customer_id = Subscription.objects.values_list("customer_id", flat=True).get(pk=subscription_id)
    customers.lock(customer_id)
    Subscription.objects.select_for_update(no_key=True).get(pk=subscription_id)
    return Subscription.objects.whole().get(pk=subscription_id)


def reference(kind: str, subscription_id: int, starts_at: datetime, zone: str) -> str:
    """
    Return the one reference of a period's entry: "renewal:42:2027-03-01".
    """
    return f"{kind}:{subscription_id}:{periods.day_in(starts_at, zone)}"


def _begin(
    customer: Customer,
    version: PriceVersion,
    begun: First,
    seats: int,
    auto_renew: bool,
    consent: Consent,
    at: datetime,
    by: User | None,
) -> Subscription:
    states = Subscription.State
    subscription = Subscription.objects.create(
        number=numbers.document("S", at),
        customer=customer,
        package=version.package,
        price_version=version,
        currency=version.currency,
        seats=seats,
        state=states.TRIAL if begun.has_trial else states.ACTIVE,
        auto_renew=auto_renew,
        consent=consent if auto_renew else None,
        had_trial=begun.has_trial,
        trial_of=version.package if begun.has_trial else None,
        zone=begun.zone,
        anchor_on=begun.anchor_on,
        anchor_number=2 if begun.has_trial else 1,
        paid_until=begun.ends_at,
        next_try_at=begun.ends_at,
        created_at=at,
        created_by=by,
    )
    SubscriptionPeriod.objects.create(
        subscription=subscription,
        number=1,
        starts_at=begun.starts_at,
        ends_at=begun.ends_at,
        price_version=version,
        seats=seats,
        is_trial=begun.has_trial,
        amount_minor=to_minor(begun.due),
        created_at=at,
    )
    if begun.due.amount:
        _charge_first(subscription, begun, consent, at, by)
    return subscription


def _charge_first(
    subscription: Subscription, begun: First, consent: Consent, at: datetime, by: User | None
) -> None:
    [entry] = spending.spend_many(
        [
            spending.Spend(
                customer_id=subscription.customer_id,
                amount=begun.due,
                reference=reference(
                    "subscription", subscription.pk, begun.starts_at, subscription.zone
                ),
                description=wording.described(
                    subscription, starts_at=begun.starts_at, ends_at=begun.ends_at
                ),
                by=by,
            )
        ],
        at=at,
    )
    Charge.objects.create(
        customer_id=subscription.customer_id,
        kind=Charge.Kind.FIRST,
        subscription=subscription,
        period_number=1,
        price_version=subscription.price_version,
        entry=entry,
        consent=consent,
        currency=subscription.currency,
        amount_minor=to_minor(begun.due),
        lines=charges.frozen([line for line in begun.quote.lines if not line.is_use]),
        charged_at=at,
        charged_by=by,
    )


def _wanted(
    subscription: Subscription, price_version: PriceVersion | None, at: datetime
) -> PriceVersion:
    """
    Return the price a subscription is to have, whole.

    raises NotOnSale, AlreadySubscribed: as `change`.
    """
    if price_version is None or price_version.pk == subscription.price_version_id:
        return PriceVersion.objects.whole().get(pk=subscription.price_version_id)
    version = PriceVersion.objects.whole().get(pk=price_version.pk)
    if not is_offered(version, subscription.customer, at):
        raise NotOnSale(_("This price is not offered any more. Choose again."))
    if version.interval == NO_TERM or version.package.kind != subscription.package.kind:
        raise NotOnSale(_("This is bought once, not subscribed to."))
    if version.package_id != subscription.package_id:
        require_new(subscription.customer, version.package)
    return version


def _require_fresh(subscription: Subscription, shown_at: datetime, at: datetime) -> None:
    """
    Refuse to post what was shown when the subscription was another.
    """
    changed = subscription.changes.filter(made_at__gt=shown_at).exists()
    begun = subscription.periods.filter(
        number=subscription.period_number, created_at__gt=shown_at
    ).exists()
    if changed or begun or not at - HONOURED_FOR <= shown_at <= at:
        raise ChangeStale(_("This was shown too long ago. Please look at it once more."))


def _write_down(
    subscription: Subscription,
    planned: Planned,
    consent: Consent,
    at: datetime,
    by: User | None,
) -> SubscriptionChange:
    """
    Keep a change; it replaces what was scheduled of the same sort.
    """
    other_price = planned.version.pk != subscription.price_version_id
    other_seats = planned.seats != subscription.seats
    same_sort = Q(to_version__isnull=False) if other_price else Q(pk=None)
    if other_seats:
        same_sort |= Q(to_seats__isnull=False)
    subscription.changes.scheduled().filter(same_sort).update(revoked_at=at)
    return SubscriptionChange.objects.create(
        subscription=subscription,
        from_version_id=subscription.price_version_id,
        from_seats=subscription.seats,
        to_version=planned.version if other_price else None,
        to_seats=planned.seats if other_seats else None,
        consent=consent,
        made_at=at,
        made_by=by,
        applied_at=at if planned.at_once else None,
    )


def _apply(
    subscription: Subscription,
    planned: Planned,
    made: SubscriptionChange,
    at: datetime,
    by: User | None,
) -> None:
    if planned.new_term:
        _begin_new_term(subscription, planned, at)
    subscription.price_version, subscription.package = planned.version, planned.version.package
    subscription.seats = planned.seats
    subscription.save()
    if not planned.due.amount:
        return
    [entry] = spending.spend_many(
        [
            spending.Spend(
                customer_id=subscription.customer_id,
                amount=planned.due,
                reference=f"change:{made.pk}",
                description=wording.described(
                    subscription, starts_at=max(planned.starts_at, at), ends_at=planned.ends_at
                ),
                by=by,
            )
        ],
        at=at,
    )
    Charge.objects.create(
        customer_id=subscription.customer_id,
        kind=Charge.Kind.TERM if planned.new_term else Charge.Kind.CHANGE,
        subscription=subscription,
        period_number=subscription.period_number,
        price_version=planned.version,
        entry=entry,
        consent_id=made.consent_id,
        currency=subscription.currency,
        amount_minor=to_minor(planned.due),
        lines=changes.frozen(planned.parts),
        charged_at=at,
        charged_by=by,
    )


def _begin_new_term(subscription: Subscription, planned: Planned, at: datetime) -> None:
    """
    Cut the running term short and let another one follow from a new anchor.
    """
    subscription.periods.filter(number=subscription.period_number).update(
        ends_at=planned.starts_at, cut_at=at
    )
    subscription.period_number += 1
    subscription.anchor_on, subscription.anchor_number = (
        planned.anchor_on,
        subscription.period_number,
    )
    subscription.paid_until = subscription.next_try_at = planned.ends_at
    SubscriptionPeriod.objects.create(
        subscription=subscription,
        number=subscription.period_number,
        previous_number=subscription.period_number - 1,
        starts_at=planned.starts_at,
        ends_at=planned.ends_at,
        price_version=planned.version,
        seats=planned.seats,
        amount_minor=to_minor(planned.due),
        created_at=at,
    )


def _end(subscription: Subscription, at: datetime) -> None:
    subscription.state = Subscription.State.ENDED
    subscription.ended_at = at
    subscription.next_try_at = subscription.past_due_at = None


def _require_seats(terms: Terms, seats: int) -> None:
    if seats < 1:
        raise BadSeats(_("At least one seat is needed."), field="seats")
    sold = terms.of_kind(SEAT)
    if not sold and seats > 1:
        raise BadSeats(_("This package is not sold by seats."), field="seats")
    limits = [int(one.hard_limit) for one in sold if one.hard_limit is not None]
    most = min([*limits, MOST_SEATS])
    if seats > most:
        raise BadSeats(
            _("At most %(most)s seats are sold.") % {"most": wording.number(most)}, field="seats"
        )


def _require_live(subscription: Subscription) -> None:
    if not subscription.is_live:
        raise SubscriptionEnded(_("This subscription has ended."), number=subscription.number)


def _require_right(by: User | None, customer_id: int) -> None:
    if by is None:
        return
    if role_in(by, customer_id) not in (Member.Role.OWNER, Member.Role.FINANCE):
        raise NotAllowed(_("Only owners and finance people may do this. Ask one of them."))
