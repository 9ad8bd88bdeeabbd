"""
A customer whose price is to rise, for the story about agreeing to another one.

Runs inside the portal: `manage.py shell -c "from tests.e2e import repricing; …enter('en')"`.
"""

from datetime import timedelta

from django.utils import timezone

from accounts import customers
from packages import announcing, price_moves, subscriptions
from packages.models import PriceVersion
from tests import factories
from tests.packages.shelf import basic, published, repriced, seats, terms


def enter(locale: str) -> None:
    """
    Make somebody with a plan by the year whose price was announced to rise; print their mail
    address and the number of the subscription.
    """
    now = timezone.now()
    begun = now - timedelta(days=3)
    email = f"repricing-{locale}@example.com"
    owner = factories.UserFactory(email=email, date_joined=begun)
    name = "Rising Bay Ltd." if locale == "en" else "涨潮科技"
    customer = customers.open(name=name, owner_email=owner.email, at=begun, locale=locale)
    factories.fund(customer, "5000.00", at=begun)
    package = published(
        terms(basic("990.00"), seats(2), interval="year"), code=f"rising-{locale[:2]}", at=begun
    )
    old = PriceVersion.objects.get(package=package)
    held = subscriptions.subscribe(customer=customer, price_version=old, auto_renew=True, at=begun)
    dearer = terms(basic("1290.00"), seats(2), interval="year")
    new = repriced(package, dearer, at=now, valid_from=now)
    price_moves.announce(
        from_version_id=old.pk,
        to_version_id=new.pk,
        holds_from=now + timedelta(days=31),
        reason="机房与带宽成本上涨。",
        reason_en="Hosting and bandwidth cost more.",
        at=now,
        by=None,
    )
    announcing.carry_on(at=now)
    print(email, held.number)
