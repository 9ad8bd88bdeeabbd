"""
People the stories begin with, because no page makes them or another story has shown how.

Runs inside the portal: `manage.py shell -c "from tests.e2e import cast; cast.enter()"`.
"""

import json
from dataclasses import asdict, dataclass
from datetime import timedelta

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import customers
from crm_billing.demo import shelf, use
from packages import catalogue
from tests import factories
from tests.factories import cny
from wallet import holds, spending


@dataclass(frozen=True)
class Cast:
    """
    Mail addresses; all have the password of tests/factories.py.

    desk: owner of "Harbour Light Ltd.". owner: of 晨星科技, and of 海风贸易 too.
    plain: owner of 青石书店, without JavaScript. cafe: owner of 远山咖啡, whose wallet is in use.
    tea: owner of 云雾茶, whose wallet holds 200.00.
    maker: of the staff, still without a second factor. checker: of the staff, with an app that
    knows factories.TOTP_SECRET, and with recovery_code on a piece of paper.
    admin: of the staff, in every role, with such an app.
    """

    desk: str = "jane@harbour.example"
    owner: str = "owner@chenxing.example"
    plain: str = "shu@qingshi.example"
    cafe: str = "kafei@yuanshan.example"
    tea: str = "cha@yunwu.example"
    maker: str = "maker@staff.example"
    checker: str = "checker@staff.example"
    admin: str = "admin@staff.example"
    recovery_code: str = ""


def enter() -> None:
    """
    Make everybody, and print who they are as JSON.
    """
    cast, now = Cast(), timezone.now()
    owners = {
        "Harbour Light Ltd.": cast.desk,
        "晨星科技": cast.owner,
        "海风贸易": cast.owner,
        "青石书店": cast.plain,
        "远山咖啡": cast.cafe,
        "云雾茶": cast.tea,
    }
    for email in dict.fromkeys(owners.values()):
        factories.UserFactory(email=email, date_joined=now)
    opened = {
        name: customers.open(
            name=name, owner_email=email, at=now, locale="en" if name.isascii() else "zh-hans"
        )
        for name, email in owners.items()
    }
    cafe = factories.fund(opened["远山咖啡"], "500.00", bonus="60.00", at=now)
    spending.spend(
        customer=cafe, amount=cny("99.90"), reference="e2e:1", description="短信 999 条", at=now
    )
    holds.place(customer=cafe, amount=cny("20.00"), reference="e2e:2", at=now)
    factories.fund(opened["云雾茶"], "200.00", at=now)
    use.fit(at=now - timedelta(days=30), by=None)
    for facts, prices in shelf.goods():
        package = catalogue.draft(facts=facts, prices=prices, at=now, by=None)
        catalogue.publish(package_id=package.pk, at=now, by=None)
    shelf.coupon(at=now, by=None)
    maker = factories.UserFactory(email=cast.maker, is_staff=True, date_joined=now)
    maker.groups.set([Group.objects.get(name="FINANCE_MAKER")])
    factories.staff(
        "SUPPORT", "FINANCE_MAKER", "FINANCE_CHECKER", "ADMIN", email=cast.admin, date_joined=now
    )
    checker = factories.staff("FINANCE_CHECKER", email=cast.checker, date_joined=now)
    paper = Authenticator.objects.get(user=checker, type=Authenticator.Type.RECOVERY_CODES)
    recovery_code = RecoveryCodes(paper).get_unused_codes()[0]
    print(json.dumps(asdict(cast) | {"recovery_code": recovery_code}))
