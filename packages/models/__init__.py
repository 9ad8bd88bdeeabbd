from packages.models.catalogue import Package
from packages.models.charges import Charge
from packages.models.prices import PriceComponent, PriceVersion, TopUpOffer
from packages.models.quotes import PriceQuote
from packages.models.subscriptions import Subscription, SubscriptionPeriod
from packages.models.usage import Meter, UsageEvent, UsageHour

__all__ = [
    "Charge",
    "Meter",
    "Package",
    "PriceComponent",
    "PriceQuote",
    "PriceVersion",
    "Subscription",
    "SubscriptionPeriod",
    "TopUpOffer",
    "UsageEvent",
    "UsageHour",
]
