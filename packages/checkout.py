"""
The way from a price shown to a subscription: a quote that holds, and a top-up where money lacks.
"""

from datetime import datetime, timedelta

import structlog
from django.utils.translation import gettext as _
from django.utils.translation import override
from djmoney.money import Money

from accounts import customers
from accounts.consents import Circumstances
from accounts.models import Consent, Customer, User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.transactions import money_transaction
from packages import acting, beginnings, redemptions, shortfall, subscriptions
from packages.catalogue import NotOnSale
from packages.models import PriceQuote, PriceVersion, Subscription
from wallet import numbers, topups
from wallet.models import TopUp

log = structlog.get_logger(__name__)

HONOURED_FOR = timedelta(hours=24)


class QuoteExpired(DomainError):
    """
    The price was shown too long ago.
    """

    code = "quote_expired"


@money_transaction
def quote(
    *,
    customer: Customer,
    price_version: PriceVersion,
    seats: int = 1,
    at: datetime,
    by: User | None = None,
) -> PriceQuote:
    """
    Write down what a subscription costs this customer, to be honoured for a day.

    raises NotOnSale: the price is not offered to this customer now.
    raises BadSeats: so many are not sold.
    raises AlreadySubscribed: the customer has the package.
    raises UseCounted: another package of the customer counts its use.
    """
    version = PriceVersion.objects.whole().get(pk=price_version.pk)
    if not beginnings.is_offered(version, customer, at):
        raise NotOnSale(_("This price is not offered any more. Choose again."))
    beginnings.require_new(customer, version)
    begun = beginnings.first(customer=customer, price_version=version, seats=seats, at=at)
    return _write(customer, version, seats, begun, at + HONOURED_FOR, at, by)


@money_transaction
def with_coupon(*, quote_id: int, code: str, at: datetime, by: User | None = None) -> PriceQuote:
    """
    Quote the same once more with a coupon, or without any, to be honoured as long as the first.

    The coupon is looked at now, and used when the quote is bought.

    code: as entered; empty for none.
    raises QuoteExpired: it is too old, bought, or waits for its top-up.
    raises CouponRefused: why the coupon cannot be used.
    """
    quote = _lock(quote_id)
    if quote.subscription is not None or (quote.topup is not None and quote.topup.is_open):
        raise QuoteExpired(_("This quote is being bought. Its price does not change any more."))
    _require_valid(quote, at)
    version = PriceVersion.objects.whole().get(pk=quote.price_version_id)
    coupon = None
    if code:
        coupon = redemptions.find(
            code=code, customer=quote.customer, price_version=version, seats=quote.seats, at=at
        )
    begun = beginnings.first(
        customer=quote.customer, price_version=version, seats=quote.seats, at=at, coupon=coupon
    )
    return _write(quote.customer, version, quote.seats, begun, quote.expires_at, at, by)


def coupon_refusal(quote: PriceQuote) -> str:
    """
    Say why the coupon of a quote cannot be used any more; nothing while it can.
    """
    try:
        if quote.coupon is not None:
            redemptions.require_left(quote.coupon, quote.customer)
    except redemptions.CouponRefused as refusal:
        return str(refusal)
    return ""


def missing(quote: PriceQuote) -> Money:
    """
    Return what the wallet lacks to pay a quote now; zero when it can.
    """
    return shortfall.missing(quote.customer, quote.due)


def top_up_amount(quote: PriceQuote, *, at: datetime) -> Money:
    """
    Return what has to be topped up for a quote: what is missing, or the least that can be.

    raises WrongCurrency: top-ups in its currency are not offered.
    """
    return shortfall.top_up_amount(quote.customer, quote.due, at=at)


def begun(quote: PriceQuote, *, at: datetime) -> beginnings.First:
    """
    Return how the subscription of a quote would begin now.
    """
    version = PriceVersion.objects.whole().get(pk=quote.price_version_id)
    return beginnings.first(
        customer=quote.customer,
        price_version=version,
        seats=quote.seats,
        at=at,
        coupon=quote.coupon,
    )


@money_transaction
def accept(
    *,
    quote_id: int,
    auto_renew: bool,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> Subscription:
    """
    Buy what a quote says, at its price. Accepting it again returns the same subscription.

    raises QuoteExpired: it is too old.
    raises: as `subscriptions.subscribe`.
    """
    quote = _lock(quote_id)
    if quote.subscription is not None:
        return quote.subscription
    _require_valid(quote, at)
    if not _is_agreed(quote, auto_renew, by):
        _agree(quote, auto_renew, at, by, circumstances)
    return _buy(quote, at=at, by=by)


@money_transaction
def top_up_first(
    *,
    quote_id: int,
    auto_renew: bool,
    gateway: str,
    request_key: str,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> TopUp:
    """
    Agree to a quote and order exactly the top-up it lacks; it is bought when that is paid.

    Where the wallet takes no such small top-up, its least is ordered. One that still waits to be
    paid, by the same gateway, is returned again.

    raises QuoteExpired: it is too old, or bought already.
    raises CouponRefused: its coupon cannot be used any more.
    raises: as `topups.start`.
    """
    quote = _lock(quote_id)
    if quote.subscription is not None:
        raise QuoteExpired(_("This has been bought already."))
    _require_valid(quote, at)
    if quote.coupon is not None:
        redemptions.require_left(quote.coupon, quote.customer)
    topup = _ordered(quote, gateway, at) or topups.start(
        customer=quote.customer,
        amount=top_up_amount(quote, at=at),
        gateway=gateway,
        at=at,
        by=by,
        request_key=request_key,
    )
    if not _is_agreed(quote, auto_renew, by):
        _agree(quote, auto_renew, at, by, circumstances)
    quote.topup = topup
    quote.save(update_fields=["topup"])
    return topup


def stopped_for(quote: PriceQuote) -> User | None:
    """
    Return who agreed to a quote and may spend for its customer no more: it goes no further by
    itself until somebody else agrees.
    """
    agreed_by = quote.consent and quote.consent.given_by
    if agreed_by is None or acting.may_spend(agreed_by, quote.customer_id):
        return None
    return agreed_by


def go_on(*, at: datetime, customer_id: int | None = None, limit: int = 500) -> int:
    """
    Buy what was agreed to and waits for money that has come; return how many.

    customer_id: only of this customer.
    """
    waiting = PriceQuote.objects.waiting_for_money(at).filter(topup__state=TopUp.State.PAID)
    if customer_id is not None:
        waiting = waiting.filter(customer_id=customer_id)
    done = 0
    for quote_id in waiting.order_by("pk").values_list("pk", flat=True)[:limit]:
        done += _go_on_with(quote_id, at)
    return done


def _write(
    customer: Customer,
    version: PriceVersion,
    seats: int,
    begun: beginnings.First,
    expires_at: datetime,
    at: datetime,
    by: User | None,
) -> PriceQuote:
    return PriceQuote.objects.create(
        code=numbers.code(),
        customer=customer,
        price_version=version,
        seats=seats,
        coupon=begun.coupon,
        has_trial=begun.has_trial,
        currency=version.currency,
        due_minor=to_minor(begun.due),
        each_term_minor=to_minor(begun.each_term),
        made_at=at,
        made_by=by,
        expires_at=expires_at,
    )


def _go_on_with(quote_id: int, at: datetime) -> bool:
    try:
        return _bought(quote_id=quote_id, at=at)
    except DomainError as refusal:
        # The money is in the wallet; the page of the quote says what is in the way.
        log.info("quote.waits", quote=quote_id, reason=refusal.code)
        return False


@money_transaction
def _bought(*, quote_id: int, at: datetime) -> bool:
    quote = _lock(quote_id)
    if quote.subscription is not None:
        return False
    _require_valid(quote, at)
    with override(quote.customer.locale):
        _buy(quote, at=at, by=quote.consent and quote.consent.given_by)
    return True


def _buy(quote: PriceQuote, *, at: datetime, by: User | None) -> Subscription:
    now = begun(quote, at=at)
    if (to_minor(now.due), now.has_trial) != (quote.due_minor, quote.has_trial):
        raise QuoteExpired(_("This quote holds no more. Please look at the price once more."))
    subscription = subscriptions.subscribe(
        customer=quote.customer,
        price_version=quote.price_version,
        seats=quote.seats,
        auto_renew=quote.auto_renew,
        at=at,
        by=by,
        quote=quote,
        coupon=quote.coupon,
        consent=quote.consent,
    )
    quote.accepted_at, quote.subscription = at, subscription
    quote.save(update_fields=["accepted_at", "subscription"])
    return subscription


def _is_agreed(quote: PriceQuote, auto_renew: bool, by: User | None) -> bool:
    """
    Tell whether this person has agreed to just that; what another agreed to does not bind.
    """
    consent = quote.consent
    return consent is not None and quote.auto_renew == auto_renew and consent.given_by == by


def _agree(
    quote: PriceQuote,
    auto_renew: bool,
    at: datetime,
    by: User | None,
    circumstances: Circumstances | None,
) -> None:
    quote.consent = acting.agreed(
        quote.customer,
        Consent.Purpose.SUBSCRIBE,
        beginnings.agreement(quote.price_version, begun(quote, at=at), auto_renew=auto_renew),
        at=at,
        by=by,
        circumstances=circumstances,
    )
    quote.auto_renew = auto_renew
    quote.save(update_fields=["consent", "auto_renew"])


def _ordered(quote: PriceQuote, gateway: str, at: datetime) -> TopUp | None:
    """
    Return the top-up that was ordered for a quote and can still be paid and suffices.
    """
    topup = quote.topup
    if topup is None or topup.gateway != gateway or not topup.is_open or topup.expires_at <= at:
        return None
    return topup if topup.amount >= missing(quote) else None


def _lock(quote_id: int) -> PriceQuote:
    customers.lock(PriceQuote.objects.values_list("customer_id", flat=True).get(pk=quote_id))
    PriceQuote.objects.select_for_update(no_key=True).get(pk=quote_id)
    return PriceQuote.objects.select_related(
        "customer", "consent__given_by", "subscription", "price_version__package", "coupon", "topup"
    ).get(pk=quote_id)


def _require_valid(quote: PriceQuote, at: datetime) -> None:
    if quote.expires_at <= at:
        raise QuoteExpired(_("This quote is too old. Please look at the price once more."))
