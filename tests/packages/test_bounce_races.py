"""
Announcements come back in the very moment their renewals are charged: each is charged by what had
not come back by then, or waits.
"""

from functools import partial

import pytest

from packages import bounces, renewals
from packages.models import Charge, Notice
from tests.factories import funded_customer
from tests.packages.buying import bought, on_sale, shanghai
from tests.packages.renewing import DAY, swept, told
from tests.wallet.racing import prove, race

pytestmark = pytest.mark.django_db(transaction=True)

APRIL = shanghai(2025, 4, 1)
MANY = 16


def test_what_is_charged_had_not_come_back_and_the_rest_waits(monkeypatch):
    monkeypatch.setattr(renewals, "CHUNK", 3)
    version = on_sale()
    for _ in range(MANY):
        bought(funded_customer("200.00"), version)
    told(APRIL - 6 * DAY)
    known = list(Notice.objects.order_by("pk"))

    result = race(
        [partial(swept, APRIL)] * 4
        + [
            partial(
                bounces.record, notice_id=one.pk, addresses=one.sent_to, reason="gone", at=APRIL
            )
            for one in known
        ]
    )

    assert not result.broken
    charged = {one.notice_id: one.charged_at for one in Charge.objects.filter(kind="RENEWAL")}
    for notice in Notice.objects.all():
        assert notice.bounced_at >= APRIL
        if notice.pk in charged:
            assert notice.bounced_at > charged[notice.pk]
    prove()
    swept(APRIL + DAY)
    assert Charge.objects.filter(kind="RENEWAL").count() == len(charged)
    assert Notice.objects.holding_up().count() == MANY - len(charged)


def test_many_reports_of_one_mail_are_kept_once():
    one = bought(funded_customer("200.00"))
    told(one.paid_until - 6 * DAY)
    notice = Notice.objects.get()

    result = race(
        [
            partial(
                bounces.record,
                notice_id=notice.pk,
                addresses=notice.sent_to,
                reason=f"said {turn}",
                at=one.paid_until + turn * DAY,
            )
            for turn in range(8)
        ]
    )

    assert result.won == [True] * 8 and not result.lost
    notice.refresh_from_db()
    assert notice.bounced_at == one.paid_until + int(notice.bounce_reason[-1]) * DAY
