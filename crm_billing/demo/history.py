"""
What happened to the demo's wallets, day by day, in the order in which it happened.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing import embedded, outbox
from crm_billing.demo import cast
from crm_billing.demo.buying import Buyer
from crm_billing.money import from_minor, to_minor
from wallet import (
    adjustments,
    gateways,
    holds,
    ledger,
    lots,
    payments,
    queries,
    seal,
    spending,
    topups,
)
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.models import Adjustment, Lot, PaymentAttempt, TopUp

Event = tuple[datetime, int, Callable[[datetime], None]]
Say = Callable[[str], None]

GATEWAY = "sandbox"
UNREACHABLE = "http://127.0.0.1:9"  # nobody listens: what was sent in the past got no answer
STEPS = (10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000)
BONUS_FROM = 100_000
BONUS_PERCENT = 5
TODAY = timedelta(hours=6)  # the last hours belong to what is left open


@dataclass(slots=True)
class Story:
    """
    One customer's life. Every chance is drawn from its own generator, so it is the same each time.
    """

    customer: Customer
    part: cast.Part
    chance: random.Random
    maker: User
    checker: User
    number: int = 0
    last_spend: int | None = None
    open_holds: list[tuple[int, datetime]] = field(default_factory=list)

    def day(self, day: date, until: datetime) -> Iterator[Event]:
        """
        Yield what this customer does on a day: more on working days, nothing after `until`.
        """
        busy = day.weekday() < 5
        draw = self.chance.random
        plans: list[Callable[[datetime], None]] = []
        plans += [self.spend] * self.chance.choice((0, 1, 1, 2) if busy else (0, 0, 0, 1))
        if draw() < (0.04 if busy else 0):
            plans.append(self.hold)
        if draw() < 0.012:
            plans.append(self.abandon)
        if draw() < 0.01:
            plans.append(self.receive_goodwill)
        if draw() < 0.006:
            plans.append(self.get_back)
        if draw() < 0.003:
            plans.append(self.be_corrected)
        for plan in plans:
            moment = self.moment(day)
            if moment < until:
                yield moment, self.customer.pk, plan
        for hold_id, due in [known for known in self.open_holds if known[1].date() <= day]:
            self.open_holds.remove((hold_id, due))
            if due < until:
                yield due, self.customer.pk, self.end_hold(hold_id)

    def moment(self, day: date) -> datetime:
        seconds = self.chance.randint(8 * 3600, 21 * 3600)
        start = datetime.combine(day, time.min, tzinfo=self.customer.zone)
        return start + timedelta(seconds=seconds)

    def begin(self, at: datetime) -> None:
        """
        The first top-up, and a gift that expires early enough to be seen expired.
        """
        self.top_up(at)
        self.gift(cast.WELCOME, self.part.pace // 2, at + timedelta(minutes=5), days=45)

    # Paying in

    def top_up(self, at: datetime) -> None:
        topup = self.order(at)
        attempt = topup.attempts.get()
        if self.chance.random() < 0.12:  # a card refused, then another try
            payments.submit(attempt_id=attempt.pk, at=at)
            self.report(attempt, PaymentStatus.FAILED, at + timedelta(seconds=30))
            attempt = topups.retry(topup_id=topup.pk, at=at + timedelta(minutes=2))
        self.report(attempt, PaymentStatus.PAID, at + timedelta(minutes=3))

    def order(self, at: datetime) -> TopUp:
        wanted = self.part.pace * self.chance.randint(12, 28)
        minor = max([step for step in STEPS if step <= wanted] or [STEPS[0]])
        amount = from_minor(minor, self.part.currency)
        return topups.start(
            customer=self.customer,
            amount=amount,
            gateway=GATEWAY,
            at=at,
            request_key=self.reference("order"),
            promise=self.promise(minor),
        )

    def promise(self, minor: int) -> topups.Promise | None:
        if minor < BONUS_FROM:
            return None
        bonus = from_minor(minor * BONUS_PERCENT // 100, self.part.currency)
        return topups.Promise(bonus=bonus, days=90, terms=cast.TERMS[self.part.locale])

    def report(
        self,
        attempt: PaymentAttempt,
        status: PaymentStatus,
        at: datetime,
        *,
        amount: Money | None = None,
    ) -> None:
        """
        Bring what the gateway says, as its callback would.
        """
        paid = status is PaymentStatus.PAID
        fact = GatewayFact(
            gateway=GATEWAY,
            merchant_id=gateways.get(GATEWAY).merchant_id,
            number=attempt.number,
            external_id=f"4200{at:%Y%m%d%H%M%S}{self.customer.pk:06d}{self.count():05d}" * paid,
            status=status,
            amount=(amount or attempt.amount) if paid else None,
            paid_at=at - timedelta(seconds=4) if paid else None,
        )
        payments.settle(fact, at=at, learned_by="CALLBACK")

    def abandon(self, at: datetime) -> None:
        """
        Order and never pay: half say so, the others let it expire.
        """
        topup = self.order(at)
        if self.chance.random() < 0.5:
            topups.cancel(topup_id=topup.pk, at=at + timedelta(minutes=4))

    def pay_wrongly(self, at: datetime) -> None:
        """
        Pay another amount than ordered: a case for people, nothing is credited.
        """
        attempt = self.order(at).attempts.get()
        wrong = from_minor(to_minor(attempt.amount) // 10, self.part.currency)
        self.report(attempt, PaymentStatus.PAID, at + timedelta(minutes=3), amount=wrong)

    # Spending

    def spend(self, at: datetime) -> None:
        product = self.chance.choices(cast.PRODUCTS, [one.weight for one in cast.PRODUCTS])[0]
        minor = max(self.part.pace * self.chance.randint(*product.share) // 100, 1)
        minor += self.chance.randint(0, 99)
        amount = from_minor(minor, self.part.currency)
        reference = f"{product.code}-{at:%Y%m%d}-{self.count():04d}"
        order: dict[str, Any] = {
            "customer": self.customer,
            "amount": amount,
            "reference": reference,
            "description": product.called(self.part.locale, self.chance.randint(1, 400) * 5),
        }
        try:
            entry = spending.spend(**order, at=at)
        except ledger.InsufficientFunds:
            self.top_up(at)
            entry = spending.spend(**order, at=at + timedelta(minutes=4))
        self.last_spend = entry.pk

    def hold(self, at: datetime) -> None:
        minor = self.part.pace * self.chance.randint(40, 150) // 100
        amount = from_minor(minor, self.part.currency)
        reference = f"{cast.CAMPAIGN[self.part.locale]} {at:%m%d}-{self.count():04d}"
        try:
            hold = holds.place(customer=self.customer, amount=amount, reference=reference, at=at)
        except ledger.InsufficientFunds:
            return
        if self.chance.random() < 0.85:  # the others run out
            self.open_holds.append((hold.pk, at + timedelta(days=self.chance.randint(1, 6))))

    def end_hold(self, hold_id: int) -> Callable[[datetime], None]:
        percent = self.chance.choice((0, 60, 75, 90, 100, 100))

        def end(at: datetime) -> None:
            held = holds.Hold.objects.get(pk=hold_id)
            minor = held.amount_minor * percent // 100
            if minor:
                amount = from_minor(minor, self.part.currency)
                holds.capture(hold_id=hold_id, amount=amount, at=at)
            else:
                holds.release(hold_id=hold_id, at=at)

        return end

    # Gifts and corrections

    def receive_goodwill(self, at: datetime) -> None:
        self.gift(cast.GOODWILL, self.part.pace * self.chance.randint(20, 60) // 100, at, days=30)

    def gift(self, why: dict[str, str], minor: int, at: datetime, *, days: int) -> None:
        lots.grant(
            customer=self.customer,
            amount=from_minor(max(minor, 1), self.part.currency),
            kind=Lot.Kind.BONUS,
            origin=Lot.Origin.PROMOTION if why is cast.WELCOME else Lot.Origin.GOODWILL,
            reference=self.reference("GIFT"),
            at=at,
            expires_at=at + timedelta(days=days),
            by=None if why is cast.WELCOME else self.maker,
            description=why[self.part.locale],
        )

    def get_back(self, at: datetime) -> None:
        if self.last_spend is not None:
            ledger.reverse(
                entry_id=self.last_spend,
                reason=cast.TWICE[self.part.locale],
                occurred_at=at,
                by=self.maker,
            )
            self.last_spend = None

    def be_corrected(self, at: datetime) -> None:
        proposed = self.propose(at)
        adjustments.approve(
            adjustment_id=proposed.pk,
            payload_sha256=proposed.payload_sha256,
            at=at + timedelta(hours=2),
            by=self.checker,
            note="已核对合同",
        )

    def propose(self, at: datetime) -> Adjustment:
        return adjustments.propose(
            customer=self.customer,
            direction=Adjustment.Direction.CREDIT,
            kind=Adjustment.Kind.PRINCIPAL,
            amount=from_minor(self.part.pace // 2, self.part.currency),
            reason=cast.CORRECTION[self.part.locale],
            at=at,
            by=self.maker,
            once_more=True,
        )

    def count(self) -> int:
        self.number += 1
        return self.number

    def reference(self, what: str) -> str:
        return f"{what}-{self.customer.number}-{self.count():04d}"


def write(
    customers: list[Customer],
    *,
    months: int,
    seed: int,
    until: datetime,
    maker: User,
    checker: User,
    say: Say,
) -> None:
    """
    Live through `months` up to `until`, and leave some things open for today.
    """
    stories = [
        Story(customer, cast.part(place), random.Random(f"{seed}:{place}"), maker, checker)  # noqa: S311
        for place, customer in enumerate(customers)
    ]
    with _gateway_away():
        _live(stories, months, until - TODAY, say)
        _leave_open(stories, until)
        _keep_house(until)
    _close(until)


def _live(stories: list[Story], months: int, until: datetime, say: Say) -> None:
    first = (until - timedelta(days=round(months * 30.4))).date()
    _run(((story.moment(first), story.customer.pk, story.begin) for story in stories), until)
    buyers = [Buyer(one.customer, place, one.top_up) for place, one in enumerate(stories)]
    day = first
    while day < until.date():
        day += timedelta(days=1)
        start = datetime.combine(day, time.min, tzinfo=stories[0].customer.zone)
        if start < until:
            _keep_house(start)
        people: list[Story | Buyer] = [*stories, *buyers]
        _run((event for one in people for event in one.day(day, until)), until)
        if day.day == 1:
            say(f"{day:%Y-%m}")


def _run(events: Iterator[Event], until: datetime) -> None:
    for at, _customer, happen in sorted(events, key=lambda event: event[:2]):
        if at < until:
            happen(at)


def _keep_house(at: datetime) -> None:
    """
    What clockwork does in a running portal.
    """
    holds.release_expired(at=at)
    topups.expire_due(at=at)
    lots.expire(at=at)


def _leave_open(stories: list[Story], until: datetime) -> None:
    """
    Things a visitor finds waiting: a hold, an unpaid top-up, a proposal, two cases.
    """
    first, *others = stories
    left = queries.balance(first.customer, first.part.currency).available
    if to_minor(left) < first.part.pace * 8:
        first.top_up(until - timedelta(hours=3))
    first.hold(until - timedelta(hours=2))
    first.gift(cast.GOODWILL, first.part.pace, until - timedelta(hours=1), days=12)
    first.order(until - timedelta(minutes=2))
    for story in others[:1]:
        story.pay_wrongly(until - timedelta(hours=5))
        story.propose(until - timedelta(hours=4))
    for story in others[1:2]:
        story.pay_wrongly(until - timedelta(days=1, hours=1))


def _close(until: datetime) -> None:
    """
    Seal what was written. The errands of the past begin to wait now: there was no worker then.
    """
    seal.seal(at=until)
    outbox.pending().update(created_at=until, next_try_at=until)


@contextlib.contextmanager
def _gateway_away() -> Iterator[None]:
    """
    Switch the sandbox gateway on, at an address where nobody answers: it has no past to tell of.
    """
    before = settings.GATEWAYS
    settings.GATEWAYS = {
        GATEWAY: {
            "url": UNREACHABLE,
            "merchant_id": before.get(GATEWAY, {}).get("merchant_id", "CRMPORTAL"),
            "keys_directory": str(embedded.home() / "sandbox-keys"),
        }
    }
    try:
        yield
    finally:
        settings.GATEWAYS = before
