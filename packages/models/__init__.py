from packages.models.bills import UsageBill, UsageShare
from packages.models.catalogue import Package
from packages.models.changes import SubscriptionChange
from packages.models.charges import Charge
from packages.models.coupons import Coupon, CouponUse
from packages.models.disputes import Dispute
from packages.models.dunning import DunningPolicy
from packages.models.limits import Overage, SpendingCap
from packages.models.moves import PriceAnnouncement, PriceMove
from packages.models.notices import Notice, RenewalRun
from packages.models.packs import ExtraPack
from packages.models.pauses import Pause
from packages.models.prices import PriceComponent, PriceVersion, TopUpOffer
from packages.models.quotes import PriceQuote
from packages.models.scans import ChargeScan
from packages.models.subscriptions import Subscription, SubscriptionPeriod
from packages.models.usage import Meter, UsageEvent, UsageHour, UsageMark
from packages.models.waiting import WaitingChange

__all__ = [
    "Charge",
    "ChargeScan",
    "Coupon",
    "CouponUse",
    "Dispute",
    "DunningPolicy",
    "ExtraPack",
    "Meter",
    "Notice",
    "Overage",
    "Package",
    "Pause",
    "PriceAnnouncement",
    "PriceComponent",
    "PriceMove",
    "PriceQuote",
    "PriceVersion",
    "RenewalRun",
    "SpendingCap",
    "Subscription",
    "SubscriptionChange",
    "SubscriptionPeriod",
    "TopUpOffer",
    "UsageBill",
    "UsageEvent",
    "UsageHour",
    "UsageMark",
    "UsageShare",
    "WaitingChange",
]
