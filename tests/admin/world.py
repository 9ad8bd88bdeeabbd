"""
One of everything the admin shows, and the people who look at it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts import api_keys, members, roles
from accounts.models import ApiKey, Consent, Customer, Invitation, Member, User
from crm_billing import outbox
from crm_billing.models import Outbox
from packages import bounces, checkout, notices, renewals, sentinel, subscriptions
from packages.models import (
    Charge,
    ChargeScan,
    Coupon,
    DunningPolicy,
    Meter,
    Notice,
    Overage,
    Package,
    PriceMove,
    PriceQuote,
    PriceVersion,
    RenewalRun,
    SpendingCap,
    Subscription,
    UsageBill,
    UsageEvent,
)
from reports.models import ReceiptDocument
from tests.factories import (
    UserFactory,
    cny,
    fund,
    funded_customer,
    give_second_factor,
    member_of,
    open_customer,
    owner_of,
    sign_in_staff,
    staff,
)
from tests.fake_gateway import Instrument
from tests.packages import couponing, metering, moving, shelf, using
from tests.wallet.topup_setting import deliver, submitted
from wallet import adjustments, expiring, holds, seal
from wallet.models import (
    Adjustment,
    Case,
    ExpiryLetter,
    Freeze,
    GatewayCallback,
    GatewayPayment,
    Hold,
    JournalEntry,
    LedgerAccount,
    Lot,
    PaymentAttempt,
    Receipt,
    SealBlock,
    TopUp,
    WalletPolicy,
)

ROLES = ["SUPPORT", "MAKER", "CHECKER", "ADMIN", "NOROLE"]
GROUPS = {
    "SUPPORT": [roles.SUPPORT],
    "MAKER": [roles.FINANCE_MAKER],
    "CHECKER": [roles.FINANCE_CHECKER],
    "ADMIN": [roles.ADMIN],
    "NOROLE": [],
}


@dataclass
class World:
    """
    rows: model -> the row its pages are asked for.
    """

    customer: Customer
    rows: dict[type[Model], Model]

    def row(self, model: type[Any]) -> Any:
        return self.rows[model]


def make(gateway: Instrument) -> World:
    """
    Make one row of every kind there is a page for, by commands where there are any.
    """
    now = timezone.now()
    maker = staff(roles.FINANCE_MAKER)
    customer = funded_customer("100.00", bonus="20.00", at=now - timedelta(days=2))
    paid = submitted(customer)
    deliver(gateway.pay(paid.attempts.get().number))
    receipt = Receipt.objects.get(topup=paid)
    keep_pdf(receipt)
    other = submitted(customer, "30.00")  # paid with another amount: a case
    deliver(gateway.pay(other.attempts.get().number, amount_minor=100))
    waiting = submitted(customer, "40.00")
    adjustment = propose(customer, by=maker, attachment=b"%PDF-1.7 proof")
    hold = holds.place(
        customer=customer,
        amount=cny("5.00"),
        reference="hold-1",
        at=now,
        expires_at=now + timedelta(days=1),
    )
    package = shelf.published(at=now)
    subscription = subscribed(funded_customer("100.00"), package)
    meter = metering.meter(at=now - timedelta(days=1))
    metering.recorded(customer, metering.event(5, at=now), at=now)
    counted = using.metered(no_meter=True, code="counted")
    rows: dict[type[Model], Model] = {
        Adjustment: adjustment,
        ApiKey: key_of(customer),
        Case: Case.objects.get(),
        Charge: subscription.charges.get(),
        ChargeScan: scanned(now),
        Consent: Consent.objects.earliest("pk"),
        Coupon: couponing.drafted(at=now, valid_from=now),
        Customer: customer,
        DunningPolicy: DunningPolicy.objects.get(),
        ExpiryLetter: reminded(now),
        Freeze: Freeze.objects.create(reason="I1", at=now, lifted_at=now, lifted_by=maker),
        GatewayCallback: GatewayCallback.objects.earliest("pk"),
        GatewayPayment: GatewayPayment.objects.earliest("pk"),
        Group: Group.objects.get(name=roles.ADMIN),
        Hold: hold,
        Invitation: invited(customer),
        JournalEntry: JournalEntry.objects.earliest("pk"),
        LedgerAccount: LedgerAccount.objects.filter(customer=customer).earliest("pk"),
        Lot: Lot.objects.earliest("pk"),
        Member: Member.objects.get(customer=customer, user=member_of(customer)),
        Meter: meter,
        Notice: returned(subscription),
        Outbox: park(),
        Overage: using.allowed(counted),
        Package: package,
        PriceQuote: PriceQuote.objects.get(),
        PriceMove: moved(now),
        PriceVersion: package.prices.get(),
        RenewalRun: renewals.run(at=now, rehearse=True),
        Subscription: subscription,
        PaymentAttempt: waiting.attempts.get(),
        PeriodicTask: PeriodicTask.objects.create(
            name="seal",
            task="wallet.tasks.seal_journal",
            interval=IntervalSchedule.objects.create(every=60, period="seconds"),
        ),
        Receipt: receipt,
        SealBlock: sealed(),
        SpendingCap: using.capped(counted, "5.00"),
        TopUp: waiting,
        UsageBill: using.billed(counted),
        UsageEvent: UsageEvent.objects.earliest("pk"),
        User: UserFactory(),
        WalletPolicy: WalletPolicy.objects.earliest("pk"),
    }
    return World(customer, rows)


def subscribed(customer: Customer, package: Package) -> Subscription:
    """
    Buy a package by a quote.
    """
    now, owner = timezone.now(), owner_of(customer)
    price = PriceVersion.objects.whole().get(package=package)
    quote = checkout.quote(customer=customer, price_version=price, at=now, by=owner)
    return checkout.accept(quote_id=quote.pk, auto_renew=True, at=now, by=owner)


def moved(now: datetime) -> PriceMove:
    """
    Announce another price to a customer who has an old one.
    """
    package = shelf.published(
        shelf.terms(shelf.basic("1.00")), code="rising", at=now - timedelta(days=1)
    )
    price = PriceVersion.objects.whole().get(package=package)
    customer = funded_customer("10.00", at=now - timedelta(days=1))
    subscriptions.subscribe(customer=customer, price_version=price, auto_renew=True, at=now)
    return moving.moved(price, at=now)


def scanned(now: datetime) -> ChargeScan:
    sentinel.scan(at=now)
    return ChargeScan.objects.get()


def reminded(now: datetime) -> ExpiryLetter:
    """
    Write the reminder of a bonus that has three days left.
    """
    customer = fund(open_customer(), "1.00", bonus="5.00", at=now - timedelta(days=27))
    expiring.prepare(at=now)
    return ExpiryLetter.objects.get(customer=customer)


def returned(subscription: Subscription) -> Notice:
    """
    Write the notice of the next renewal, and let it come back.
    """
    at = subscription.paid_until - timedelta(days=6)
    notices.prepare(at=at)
    notice = Notice.objects.get(subscription=subscription)
    bounces.record(notice_id=notice.pk, addresses=["gone@example.com"], reason="550 5.1.1", at=at)
    return notice


def key_of(customer: Customer) -> ApiKey:
    key, _token = api_keys.create(
        customer=customer,
        name="ERP",
        scopes=["wallet:read"],
        at=timezone.now(),
        by=owner_of(customer),
    )
    return key


def invited(customer: Customer, email: str = "invited@example.com") -> Invitation:
    return members.invite(
        customer_id=customer.pk,
        email=email,
        role=Member.Role.FINANCE,
        at=timezone.now(),
        by=owner_of(customer),
    )


def sealed() -> SealBlock:
    """
    Return a block; the real ones take what is committed, and a test commits nothing.
    """
    first = JournalEntry.objects.earliest("pk").pk
    return SealBlock.objects.create(
        prev_sha256=seal.GENESIS,
        sha256="5" * 64,
        first_entry_id=first,
        last_entry_id=first,
        last_xid=3,
        cluster=1,
        entries=1,
        sealed_at=timezone.now(),
    )


def keep_pdf(receipt: Receipt) -> ReceiptDocument:
    """
    Keep some bytes as a receipt's document, without drawing it.
    """
    return ReceiptDocument.objects.create(
        receipt=receipt,
        pdf=b"%PDF-1.7",
        pdf_sha256=hashlib.sha256(b"%PDF-1.7").hexdigest(),
        template_version="receipt-1",
        rendered_at=timezone.now(),
    )


def propose(customer: Customer, *, by: User, attachment: bytes = b"", **terms: Any) -> Adjustment:
    asked = {"direction": "CREDIT", "kind": "PRINCIPAL", "amount": cny("8.00"), "reason": "补偿"}
    named = adjustments.Attachment("证明.pdf", attachment) if attachment else None
    return adjustments.propose(
        customer=customer, at=timezone.now(), by=by, attachment=named, **asked | terms
    )


def park(key: str = "k1") -> Outbox:
    now = timezone.now()
    outbox.put(topic="test.topic", key=key, payload={"id": 1}, at=now)
    Outbox.objects.filter(topic="test.topic", key=key).update(
        parked_at=now, attempts=8, last_error="ValueError: no"
    )
    return Outbox.objects.get(topic="test.topic", key=key)


def member_of_staff(role: str) -> User:
    return staff(*GROUPS[role])


def signed_in(role: str, *, recently: bool = True) -> Client:
    """
    Return a browser of one of ROLES, or of UNPROVED, PERSON (an owner) or STRANGER.
    """
    client = Client()
    if role == "STRANGER":
        return client
    if role == "PERSON":
        owner = owner_of(funded_customer())
        give_second_factor(owner)
        return sign_in_staff(client, owner)
    if role == "UNPROVED":
        client.force_login(UserFactory(is_staff=True, is_superuser=True))
        return client
    return sign_in_staff(client, member_of_staff(role), recently=recently)
