import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.conf import settings as product
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Customer, Member, User
from crm_billing import embedded
from crm_billing.demo import cast, history, people
from packages import charges, sentinel
from packages.models import Charge, Subscription
from wallet import books
from wallet.models import Case, JournalEntry, Posting, Receipt, TopUp

pytestmark = pytest.mark.django_db


def seed(**options) -> str:
    said = io.StringIO()
    call_command("seed_demo", **{"customers": 2, "months": 1} | options, stdout=said)
    return said.getvalue()


class TestSeedDemo:
    def test_leaves_books_that_prove_and_something_of_everything(self):
        seed()
        assert not any(books.violations().values())
        assert Customer.objects.count() == 2
        assert set(Member.objects.values_list("role", flat=True)) == set(Member.Role.values)
        kinds = set(JournalEntry.objects.values_list("kind", flat=True))
        assert {"TOP_UP", "BONUS", "SPEND"} <= kinds
        assert TopUp.objects.filter(state=TopUp.State.PAID).count() == Receipt.objects.count() > 2
        assert TopUp.objects.open().filter(customer__members__user__email=people.OWNER).exists()
        assert Case.objects.filter(kind="AMOUNT_MISMATCH", state="OPEN").exists()

    def test_lets_customers_subscribe_some_days_ago(self):
        seed(customers=3)
        assert not any(books.violations().values())
        assert {"ACTIVE", "TRIAL"} == set(Subscription.objects.values_list("state", flat=True))
        assert Subscription.objects.filter(cancelled_at__isnull=False).exists()
        assert Case.objects.filter(kind="CHARGE_DISPUTED", state="OPEN").exists()
        assert sentinel.scan(at=timezone.now()).found == 0
        begun = Subscription.objects.order_by("created_at").values_list("created_at", flat=True)
        assert timedelta(days=3) < timezone.now() - begun.last() < timezone.now() - begun.first()
        assert timezone.now() - begun.first() < timedelta(days=26)
        for charge in Charge.objects.all():
            assert charges.recompute(charge.lines, charge.currency) == charge.amount

    def test_tells_the_past_in_order(self):
        seed()
        times = list(
            JournalEntry.objects.filter(customer=Customer.objects.earliest("pk"))
            .order_by("pk")
            .values_list("occurred_at", flat=True)
        )
        assert (times[-1] - times[0]).days > 25
        assert times == sorted(times)

    def test_made_again_changes_nothing(self):
        seed(customers=1)
        before = (JournalEntry.objects.count(), User.objects.count(), TopUp.objects.count())
        assert "already" in seed(customers=5)
        assert before == (JournalEntry.objects.count(), User.objects.count(), TopUp.objects.count())

    def test_tells_the_same_story_for_the_same_seed(self):
        until = datetime(2026, 5, 20, 3, tzinfo=UTC)

        def story(number: int) -> list[tuple]:
            before = transaction.savepoint()  # no atomic block: sending to a gateway refuses one
            opened = people.enter(2, at=datetime(2026, 4, 1, tzinfo=UTC))
            history.write(
                opened,
                months=1,
                seed=number,
                until=until,
                maker=people.staff("maker"),
                checker=people.staff("checker"),
                say=str,
            )
            told = Posting.objects.filter(account__customer__isnull=False).order_by("pk")
            lines = list(
                told.values_list(
                    "entry__kind",
                    "entry__description",
                    "entry__occurred_at",
                    "amount_minor",
                    "balance_after_minor",
                )
            )
            transaction.savepoint_rollback(before)
            return lines

        first = story(7)
        assert len(first) > 40
        assert first == story(7)
        assert first != story(8)

    def test_lets_everybody_sign_in_and_tells_how(self):
        seed(customers=1)
        told = json.loads((embedded.home() / people.FILE).read_text())
        assert (embedded.home() / people.FILE).stat().st_mode & 0o077 == 0
        assert told["address"] == product.SITE_URL
        assert len(told["logins"]) == 7
        for login in told["logins"]:
            user = authenticate(username=login["email"], password=login["password"])
            assert user is not None
            assert EmailAddress.objects.get(user=user, primary=True).verified

    def test_gives_staff_their_groups_and_the_second_factor_that_is_told(self):
        seed(customers=1)
        told = json.loads((embedded.home() / people.FILE).read_text())
        assert told["totp_secret"] == cast.TOTP_SECRET
        staff = User.objects.filter(is_staff=True).order_by("pk")
        assert [list(user.groups.values_list("name", flat=True)) for user in staff] == [
            ["SUPPORT"],
            ["FINANCE_MAKER"],
            ["FINANCE_CHECKER"],
            ["ADMIN"],
        ]
        for user in staff:
            kept = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
            assert get_adapter().decrypt(kept.data["secret"]) == cast.TOTP_SECRET

    def test_makes_no_known_second_factor_outside_a_demo(self, settings):
        settings.DEMO, settings.DEBUG = False, True
        seed(customers=1)
        assert not Authenticator.objects.exists()

    def test_is_for_demos_only(self, settings):
        settings.DEMO = settings.DEBUG = False
        with pytest.raises(CommandError, match="DEMO=1"):
            seed()
        assert not User.objects.exists()

    @pytest.mark.parametrize("options", [{"customers": 0}, {"months": 0}, {"customers": 5000}])
    def test_refuses_sizes_that_make_no_sense(self, options):
        with pytest.raises(CommandError):
            seed(**options)

    def test_says_nothing_when_asked_to(self):
        assert seed(customers=1, quiet=True) == ""

    def test_leaves_the_gateways_and_the_connection_as_they_were(self):
        def synchronous() -> str:
            with connection.cursor() as cursor:
                cursor.execute("SHOW synchronous_commit")
                return cursor.fetchone()[0]

        before = (dict(product.GATEWAYS), synchronous())
        seed(customers=1)
        assert before == (dict(product.GATEWAYS), synchronous())

    def test_orders_with_the_terms_it_promises(self):
        seed()
        promised = TopUp.objects.filter(promised_bonus__isnull=False).first()
        assert promised.promised_terms in cast.TERMS.values()
        assert promised.promised_bonus == promised.amount * history.BONUS_PERCENT / 100


class TestPart:
    def test_has_a_name_and_an_address_for_as_many_as_asked(self):
        parts = [cast.part(place) for place in range(400)]
        assert len({part.slug for part in parts}) == len({part.name for part in parts}) == 400
