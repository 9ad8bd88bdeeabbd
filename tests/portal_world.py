"""
A customer with one of everything the portal shows, and the people and programs who look at it.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import api_keys, members, roles
from accounts.models import ApiKey, Customer, Invitation, Member
from packages import catalogue, checkout, pausing, renewals, subscriptions
from packages.models import PriceQuote, PriceVersion, Subscription
from reports.models import ReceiptDocument
from tests.admin.world import keep_pdf
from tests.factories import (
    cny,
    fund,
    member_of,
    open_customer,
    owner_of,
    sign_in_staff,
    staff,
)
from tests.fake_gateway import Instrument
from tests.packages import couponing, metering, moving, shelf
from tests.wallet.topup_setting import deliver, submitted
from wallet import holds, spending
from wallet.models import Hold, JournalEntry, Receipt, TopUp

PEOPLE = ["OWNER", "FINANCE", "VIEWER", "OTHER", "STAFF", "ANONYMOUS"]
PROGRAMS = ["FULL", "READING", "OTHER", "UNKNOWN", "NONE", "BROWSER"]
# Words that stand on the customer's pages and may stand on nobody else's.
NAME, PERSON, WORK, KEY = "Aurora Secret Ltd", "leaver@secret.example", "Secret seats", "Secret key"
OWN_PRICE, OWN_PACKAGE = "¥4,321.09", "Secret Suite"
USED = "731.894265"  # units of a meter


@dataclass
class World:
    """
    people: role at the customer, OTHER (owner of another customer) or STAFF -> user.
    tokens: of PROGRAMS.
    """

    customer: Customer
    people: dict[str, Any]
    tokens: dict[str, str]
    invitation_token: str
    leaver: Member
    receipt: Receipt
    waiting: TopUp
    entry: JournalEntry
    subscription: Subscription
    paused: Subscription
    asked: Subscription
    quote: PriceQuote
    open_hold: Hold
    other_hold: Hold
    invitation: Invitation
    key: ApiKey
    passkey: Authenticator

    @property
    def secrets(self) -> list[str]:
        """
        Return what nobody but the customer's own people may read anywhere.
        """
        return [
            NAME,
            PERSON,
            WORK,
            KEY,
            OWN_PRICE,
            OWN_PACKAGE,
            USED,
            self.customer.number,
            self.receipt.number,
            self.waiting.number,
            self.subscription.number,
            self.invitation.email,
        ]

    def address(self, name: str) -> str:
        """
        Return the address of a name, about what is the customer's.
        """
        known: dict[str, list] = {
            "accounts:change-role": [self.leaver.pk],
            "accounts:remove-member": [self.leaver.pk],
            "accounts:revoke-invitation": [self.invitation.pk],
            "accounts:accept-invitation": [self.invitation.pk],
            "accounts:invitation": [self.invitation_token],
            "accounts:revoke-api-key": [self.key.pk],
            "wallet:entry": [self.entry.pk],
            "wallet:gateway-callback": ["sandbox"],
            "packages:package": ["secret"],
            "packages:top-up": ["thousand"],
            "packages:subscribe": ["secret"],
            "packages:quote": [self.quote.code],
            "packages:quote-live": [self.quote.code],
            "packages:quote-coupon": [self.quote.code],
            "packages:enter-coupon": [self.subscription.number],
            "packages:remove-coupon": [self.subscription.number],
            "packages:subscription": [self.subscription.number],
            "packages:cancel": [self.subscription.number],
            "packages:new-price": [self.asked.number],
            "packages:renew": [self.subscription.number],
            "packages:change": [self.subscription.number],
            "packages:overage": [self.subscription.number, "api_calls"],
            "packages:pack": [self.subscription.number, "api_calls"],
            "api:entitlement": ["api_calls"],
            "packages:revoke-waiting": [self.subscription.number],
            "packages:pause": [self.subscription.number],
            "packages:revoke-pause": [self.subscription.number],
            "packages:resume": [self.paused.number],
            "packages:revoke-change": [
                self.subscription.number,
                self.subscription.changes.get().pk,
            ],
            "packages:charge": [self.subscription.charges.earliest("pk").pk],
            "packages:dispute": [self.subscription.charges.earliest("pk").pk],
            "reports:receipt-detail": [self.receipt.number],
            "reports:receipt-pdf": [self.receipt.number],
            "reports:verify": [self.receipt.code],
            "api:topup": [self.waiting.number],
            "api:charge": [self.subscription.charges.earliest("pk").entry_id],
            "api:capture-hold": [self.open_hold.pk],
            "api:release-hold": [self.other_hold.pk],
            "account_reset_password_from_key": ["1", "never-mailed"],
            "mfa_remove_webauthn": [self.passkey.pk],
            "mfa_edit_webauthn": [self.passkey.pk],
        }
        if name.startswith("wallet:topup-") and name.removeprefix("wallet:topup-") in TOPUP_PAGES:
            return reverse(name, args=[self.waiting.number])
        return reverse(name, args=known.get(name))

    def body(self, name: str) -> dict[str, Any]:
        """
        Return what a form needs to be taken, so that a refusal is about who sends it.
        """
        order = {"amount": "10.00", "gateway": "sandbox"}
        return {
            "set_language": {"language": "en"},
            "set_theme": {"theme": "dark"},
            "accounts:welcome": {
                "name": "One more",
                "kind": "COMPANY",
                "currency": "CNY",
                "time_zone": "Asia/Shanghai",
                "once": str(uuid4()),
            },
            "accounts:switch-customer": {"customer": self.customer.number},
            "accounts:settings": {
                "name": "Changed",
                "kind": "COMPANY",
                "locale": "en",
                "time_zone": "UTC",
                "currency": "CNY",
            },
            "accounts:profile": {"name": "Changed", "locale": "en"},
            "accounts:invite-member": {"email": f"{uuid4().hex}@example.com", "role": "VIEWER"},
            "accounts:change-role": {"role": "OWNER"},
            "accounts:create-api-key": {
                "name": "Mine",
                "scopes": ["wallet:read"],
                "days": "30",
                "once": str(uuid4()),
            },
            "packages:top-up": {"gateway": "sandbox"},
            "packages:subscribe": {"term": "month"},
            "packages:limits": {"code": "ALL", "most": "5.00", "action": "set"},
            "packages:overage": {"policy": "BLOCK"},
            "packages:pack": {"nth": "1"},
            "packages:dispute": {"words": "Not what we agreed."},
            "packages:quote-coupon": {"code": "WELCOME"},
            "packages:enter-coupon": {"code": "WELCOME"},
            "wallet:topup-new": order,
            "wallet:topup-confirm": order | {"request_key": uuid4().hex},
        }.get(name, {})

    def document(self, name: str) -> dict[str, Any]:
        """
        Return what an API address needs to be taken.
        """
        amount = {"amount": {"amount": "1.00", "currency": "CNY"}}
        return {
            "api:topups": amount | {"gateway": "sandbox"},
            "api:charges": amount | {"description": "x"},
            "api:holds": amount,
            "api:capture-hold": amount,
            "api:usage": {
                "event_id": uuid4().hex,
                "meter": "api_calls",
                "quantity": "1",
                "occurred_at": timezone.now().isoformat(),
            },
        }.get(name, {})

    def browser(self, who: str, **options: Any) -> Client:
        """
        Return a browser in which somebody has just proved themselves, as some pages ask.
        """
        client = Client(**options)
        if who in self.people:
            sign_in_staff(client, self.people[who])
        return client

    def program(self, who: str) -> Client:
        if who == "BROWSER":
            return self.browser("OWNER")
        token = self.tokens.get(who)
        return Client(headers={"Authorization": f"Bearer {token}"} if token else {})


TOPUP_PAGES = {"status", "live", "return", "pay", "ask", "retry", "cancel"}


def make(gateway: Instrument) -> World:
    """
    Make one of everything, by commands where there are any.
    """
    cache.clear()  # what was counted for other tests
    now = timezone.now()
    customer = fund(open_customer(NAME, locale="en"), "100.00", bonus="20.00", at=now)
    owner = owner_of(customer)
    paid = submitted(customer)
    deliver(gateway.pay(paid.number))
    receipt = Receipt.objects.get(topup=paid)
    keep_pdf(receipt)
    entry = spending.spend(
        customer=customer, amount=cny("5.00"), reference="1", description=WORK, at=now
    )
    leaver = member_of(customer, email=PERSON).memberships.get()
    invitation = members.invite(
        customer_id=customer.pk, email="invited@secret.example", role="VIEWER", at=now, by=owner
    )
    sell(customer, now)
    use(customer, now)
    other = fund(open_customer("Borealis Ltd", locale="en"), "100.00")
    tokens = {
        "FULL": key_of(customer)[1],
        "READING": key_of(customer, "wallet:read", "topups:read", "usage:read")[1],
        "OTHER": key_of(other)[1],
        "UNKNOWN": "crm_abcdefgh_" + 43 * "x",
    }
    world = World(
        customer=customer,
        people={
            "OWNER": owner,
            "FINANCE": member_of(customer, Member.Role.FINANCE),
            "VIEWER": member_of(customer, Member.Role.VIEWER),
            "OTHER": owner_of(other),
            "STAFF": staff(roles.SUPPORT, roles.ADMIN),
        },
        tokens=tokens,
        invitation_token=members.token_of(invitation),
        leaver=leaver,
        receipt=receipt,
        waiting=submitted(customer, "40.00"),
        entry=entry,
        subscription=subscribed(customer, now),
        paused=paused(customer, now),
        asked=asked(customer, now),
        quote=quoted(customer, now),
        open_hold=hold(customer, "one", now),
        other_hold=hold(customer, "other", now),
        invitation=invitation,
        key=key_of(customer, name=KEY)[0],
        passkey=Authenticator.objects.create(
            user=leaver.user, type=Authenticator.Type.WEBAUTHN, data={"name": "x", "credential": {}}
        ),
    )
    assert ReceiptDocument.objects.filter(receipt=receipt).exists()
    return world


def sell(customer: Customer, now: Any) -> None:
    """
    Put a plan and a top-up on sale; sell a package to this customer alone, at a price of its own.
    """
    before = now - timedelta(days=1)
    shelf.published(code="pro", at=before)
    couponing.coupon("WELCOME", at=before, valid_from=before)
    shelf.published(shelf.offer(), code="thousand", kind="TOP_UP", at=before)
    facts = shelf.facts("secret", name=OWN_PACKAGE, name_en=OWN_PACKAGE)
    package = catalogue.draft(facts=facts, prices=[shelf.terms()], at=before, by=None)
    catalogue.publish(package_id=package.pk, at=before, by=None)
    public = package.prices.get()
    own = shelf.terms(shelf.basic("4321.09"))
    shelf.repriced(package, own, at=now, customer=customer)
    catalogue.end(price_version_id=public.pk, valid_to=now, at=now, by=None)


def use(customer: Customer, now: Any) -> None:
    """
    Count something of this customer's.
    """
    metering.meter(at=now - timedelta(days=1))
    told = metering.event(USED, at=now, occurred_at=now)
    metering.recorded(customer, told, at=now)


def subscribed(customer: Customer, now: Any) -> Subscription:
    terms = shelf.terms(
        shelf.basic("10.00"), shelf.seats(2), shelf.calls(pack_units=Decimal(9), pack_price=cny(1))
    )
    price = PriceVersion.objects.whole().get(package=shelf.published(terms, code="held", at=now))
    owner = owner_of(customer)
    held = subscriptions.subscribe(
        customer=customer, price_version=price, auto_renew=True, at=now, by=owner
    )
    subscriptions.change(subscription_id=held.pk, seats=2, at=now, by=owner)
    return held


def paused(customer: Customer, now: Any) -> Subscription:
    """
    Let the customer have something free that rests.
    """
    begun = now - timedelta(days=45)
    package = shelf.published(shelf.terms(shelf.basic("0.00")), code="resting", at=begun)
    price = PriceVersion.objects.whole().get(package=package)
    one = subscriptions.subscribe(customer=customer, price_version=price, auto_renew=True, at=begun)
    pausing.pause(subscription_id=one.pk, until=pausing.last_day(one), at=begun)
    renewals.renew(subscription_id=one.pk, at=now)
    return one


def asked(customer: Customer, now: Any) -> Subscription:
    """
    Let the customer have something whose price is announced to rise.
    """
    package = shelf.published(
        shelf.terms(shelf.basic("1.00")), code="rising", at=now - timedelta(days=1)
    )
    price = PriceVersion.objects.whole().get(package=package)
    one = subscriptions.subscribe(customer=customer, price_version=price, auto_renew=True, at=now)
    moving.moved(price, at=now)
    return one


def quoted(customer: Customer, now: Any) -> PriceQuote:
    price = PriceVersion.objects.get(package__code="pro")
    return checkout.quote(customer=customer, price_version=price, at=now, by=owner_of(customer))


def key_of(customer: Customer, *scopes: str, name: str = "key") -> tuple[ApiKey, str]:
    return api_keys.create(
        customer=customer,
        name=name,
        scopes=list(scopes or ApiKey.Scope.values),
        at=timezone.now(),
    )


def hold(customer: Customer, reference: str, now: Any) -> Hold:
    return holds.place(
        customer=customer,
        amount=cny("5.00"),
        reference=reference,
        at=now,
        expires_at=now + timedelta(days=1),
    )
