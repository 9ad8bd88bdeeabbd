"""
Drafts through their pages: how tests open, fill in and send them.
"""

from django.urls import reverse
from django.utils import timezone

from packages import catalogue, drafts
from packages.models import PriceVersion
from packages.terms import Terms
from tests.admin.test_packages import entered_at


def whole(version: PriceVersion) -> PriceVersion:
    return PriceVersion.objects.whole().get(pk=version.pk)


def page_of(version: PriceVersion, name: str, what: str) -> str:
    return reverse(f"admin:packages_priceversion_{name}", args=[version.pk, what])


def change(client, address: str, **said: str):
    """
    Open a page, fill in some of its form and send it.
    """
    return client.post(address, entered_at(client, address, **said))


def errors(answer) -> list[str]:
    return list(answer.context["form"].errors)


def begun(admin) -> PriceVersion:
    """
    Begin a plan with a price by the month that has no component yet.
    """
    package = drafts.begin(
        facts=catalogue.Facts(code="team", kind="PLAN", name="团队版", name_en="Team"),
        at=timezone.now(),
        by=admin,
    )
    month = Terms(currency="CNY", interval="month")
    return drafts.add_price(package_id=package.pk, terms=month, at=timezone.now(), by=admin)


def add(client, version: PriceVersion, kind: str, **said: str):
    return change(client, page_of(version, "new_component", kind), **said)


NAMED = {"code": "x", "name": "某", "name_en": "Some"}
