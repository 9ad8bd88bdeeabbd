"""
What the database refuses about notices that came back, whoever asks.
"""

import pytest
from django.db import IntegrityError, connection

from packages import due, renewals
from packages.models import Notice, Subscription
from tests.packages.bouncing import returned, soon_renewed
from tests.packages.renewing import swept
from tests.packages.test_subscription_guards import refused
from wallet import books

pytestmark = pytest.mark.django_db


@pytest.fixture
def one() -> Subscription:
    return soon_renewed()


class TestGuards:
    @pytest.mark.parametrize(
        ("change", "constraint"),
        [
            ("bounced_at = bounced_at + interval '1 day'", "packages_notice_sent_once"),
            ("bounced_at = NULL", "packages_notice_sent_once"),
            ("bounce_reason = 'x'", "packages_notice_bounced_fixed"),
            ("bounced_to = '[]'", "packages_notice_bounced_fixed"),
            ("sent_to = '[]'", "packages_notice_bounced_fixed"),
            ("dropped_at = now()", "packages_notice_bounced_or_dropped"),
        ],
    )
    def test_refuse_to_change_what_came_back(self, one, change, constraint):
        returned(one)
        assert refused(f"UPDATE packages_notice SET {change}") == constraint

    @pytest.mark.parametrize(
        ("change", "constraint"),
        [
            ("bounced_at = sent_at", "packages_notice_bounced_iff_it_says_why"),
            ("bounce_reason = 'x'", "packages_notice_bounced_iff_it_says_why"),
            (
                "bounce_reason = 'x', bounced_at = sent_at - interval '1 s'",
                "packages_notice_bounced_after_it_was_sent",
            ),
        ],
    )
    def test_refuse_what_makes_no_sense(self, one, change, constraint):
        assert refused(f"UPDATE packages_notice SET {change}") == constraint

    def test_a_notice_that_has_charged_comes_back_only_later(self, one):
        swept(one.paid_until)
        change = (
            "UPDATE packages_notice SET bounce_reason = 'x', bounced_at ="
            " (SELECT max(charged_at) FROM packages_charge) {}"
        )
        assert refused(change.format("")) == "packages_notice_bounced_after_its_charge"
        assert refused(change.format("+ interval '1 s'")) is None

    def test_nothing_is_charged_by_what_came_back(self, one):
        returned(one)
        with pytest.raises(IntegrityError, match="was not announced in time"):
            self.charge_by_force(one)

    def charge_by_force(self, one: Subscription) -> None:
        """
        Renew as if nobody looked whether the announcement came back.
        """

        def blind(rows):
            found = Notice.objects.filter(subscription__in=[row.id for row in rows])
            return {x.subscription_id: [(x.pk, x.amount_minor, one.paid_until)] for x in found}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(due, "_announced", blind)
            renewals.renew(subscription_id=one.pk, at=one.paid_until)

    @pytest.mark.tampers
    def test_the_books_show_a_charge_by_what_came_back(self, one):
        swept(one.paid_until)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("UPDATE packages_notice SET bounced_at = sent_at, bounce_reason = 'x'")
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        assert books.violations()["I13"] == 1
