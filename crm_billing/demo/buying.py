"""
What the demo's customers subscribe to, some days before today: through a quote, as everybody does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from djmoney.money import Money

from accounts.consents import Circumstances
from accounts.models import Customer, Member, User
from packages import allowing, checkout, disputes, queries, subscriptions
from packages.models import Charge, Overage

HOW = Circumstances("192.0.2.15", "Mozilla/5.0 (Demo)", "portal:quote")
DOUBT = {
    "zh-hans": "我们只有 5 位同事在用，为什么按 8 个席位收费？",
    "en": "Only 5 of us use it. Why were 8 seats charged?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    days_ago: when it is bought. regret: so many days later it is cancelled. doubt: so many days
    later its charge is disputed.
    beyond: what use of features may cost in a term beyond what is included, in whole units of the
    customer's currency.
    """

    package: str
    days_ago: int
    term: str = "month"
    seats: int = 1
    auto_renew: bool = True
    regret: int = 0
    doubt: int = 0
    beyond: tuple[tuple[str, int], ...] = ()


# by the customers' places; what lies beyond begins again
WISHES = (
    (
        Wish(package="basic", days_ago=18, seats=8, beyond=(("api_calls", 500),), doubt=17),
        Wish(package="sms", days_ago=9, regret=6),
        Wish(package="insights", days_ago=4, auto_renew=False),
    ),
    (
        Wish(package="basic", days_ago=100, seats=6, term="half_year"),
        Wish(package="insights", days_ago=6),
    ),
    (
        Wish(package="enterprise", days_ago=20, seats=60, beyond=(("collection", 100),)),
        Wish(package="sms", days_ago=5),
    ),
    (Wish(package="basic", days_ago=12, seats=5, term="quarter"),),
    (Wish(package="free", days_ago=23),),
    (Wish(package="basic", days_ago=15, seats=3, regret=8),),
    (Wish(package="basic", days_ago=7, seats=14, auto_renew=False),),
    (Wish(package="pro", days_ago=6, seats=11, beyond=(("collection", 100),)),),
)


@dataclass(frozen=True, slots=True)
class Buyer:
    """
    top_up: fills the wallet when it lacks money.
    """

    customer: Customer
    place: int
    top_up: Callable[[datetime], None]

    def day(self, day: date, until: datetime) -> Iterator[tuple[datetime, int, Callable]]:
        """
        Yield what is bought and regretted on a day, as `history` tells it.
        """
        for wish in WISHES[self.place % len(WISHES)]:
            bought_on = (until - timedelta(days=wish.days_ago)).date()
            if bought_on == day:
                yield self.moment(day, 10), self.customer.pk, self.buy(wish)
            if wish.regret and bought_on + timedelta(days=wish.regret) == day:
                yield self.moment(day, 16), self.customer.pk, self.cancel(wish)
            if wish.doubt and bought_on + timedelta(days=wish.doubt) == day:
                yield self.moment(day, 17), self.customer.pk, self.dispute(wish)

    def buy(self, wish: Wish) -> Callable[[datetime], None]:
        def act(at: datetime) -> None:
            offered = queries.offer(self.customer, wish.package, at=at)
            if offered is None:
                return
            by = self.owner()
            quote = checkout.quote(
                customer=self.customer,
                price_version=offered.price(wish.term),
                seats=wish.seats,
                at=at,
                by=by,
            )
            while checkout.missing(quote):
                self.top_up(at)
                at += timedelta(minutes=4)
            subscription = checkout.accept(
                quote_id=quote.pk,
                auto_renew=wish.auto_renew,
                at=at,
                by=by,
                circumstances=HOW,
            )
            for code, units in wish.beyond:
                allowing.allow(
                    subscription_id=subscription.pk,
                    code=code,
                    policy=Overage.Policy.CAP_AMOUNT,
                    most=Money(units, self.customer.currency),
                    at=at,
                    by=by,
                    circumstances=HOW,
                )

        return act

    def cancel(self, wish: Wish) -> Callable[[datetime], None]:
        def act(at: datetime) -> None:
            live = self.customer.subscriptions.live().filter(package__code=wish.package)
            for known in live:
                subscriptions.cancel(subscription_id=known.pk, at=at, by=self.owner())

        return act

    def dispute(self, wish: Wish) -> Callable[[datetime], None]:
        def act(at: datetime) -> None:
            charges = Charge.objects.filter(customer=self.customer)
            for known in charges.filter(subscription__package__code=wish.package):
                words = DOUBT["en" if self.customer.locale.startswith("en") else "zh-hans"]
                disputes.dispute(charge_id=known.pk, words=words, at=at, by=self.owner())

        return act

    def moment(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour, 5 + self.place % 50), tzinfo=self.customer.zone)

    def owner(self) -> User:
        return User.objects.filter(
            memberships__customer=self.customer, memberships__role=Member.Role.OWNER
        ).earliest("pk")
