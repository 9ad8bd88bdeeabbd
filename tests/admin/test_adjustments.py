"""
A correction by two people, through the pages; and every way round the second one.
"""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.urls import reverse

from accounts import customers
from accounts.roles import FINANCE_CHECKER, FINANCE_MAKER
from tests.admin import world
from tests.factories import (
    balances,
    funded_customer,
    open_customer,
    sign_in_staff,
    staff,
    totp_code,
)
from wallet import corrections
from wallet.models import Adjustment, JournalEntry

pytestmark = pytest.mark.django_db

PROPOSE = "admin:wallet_adjustment_propose"
KEY = "a" * 24


def asked(payer, **fields):
    return {
        "customer": payer.pk,
        "direction": "CREDIT",
        "kind": "PRINCIPAL",
        "amount": "12.30",
        "reason": "Interrupted service",
        "request_key": KEY,
    } | fields


def page(adjustment, what="change"):
    return reverse(f"admin:wallet_adjustment_{what}", args=[adjustment.pk])


def decide(client, adjustment, **fields):
    sent = {"payload_sha256": adjustment.payload_sha256, "note": "seen"} | fields
    return client.post(page(adjustment, "approve"), sent)


@pytest.fixture
def maker(client):
    user = staff(FINANCE_MAKER)
    sign_in_staff(client, user)
    return user


@pytest.fixture
def checker():
    return world.signed_in("CHECKER")


class TestTwoPeople:
    def test_move_money_once_both_have_agreed(self, client, maker, checker):
        customer = funded_customer("10.00")
        sent = asked(customer, attachment=SimpleUploadedFile("proof.pdf", b"%PDF-1.7 x"))
        response = client.post(reverse(PROPOSE), sent)
        adjustment = Adjustment.objects.get()
        assert (response.status_code, response.url) == (302, page(adjustment))
        assert balances(customer)[0] == "10.00"
        assert page(adjustment, "approve") not in client.get(page(adjustment)).text

        assert page(adjustment, "approve") in checker.get(page(adjustment)).text
        shown = checker.get(page(adjustment, "approve")).text
        assert adjustment.payload_sha256 in shown and "¥22.30" in shown
        response = decide(checker, adjustment)
        assert (response.status_code, response.url) == (302, page(adjustment))
        adjustment.refresh_from_db()
        assert (adjustment.state, adjustment.maker, adjustment.decision_note) == (
            "POSTED",
            maker,
            "seen",
        )
        assert balances(customer)[0] == "22.30"
        assert str(adjustment.entry) in checker.get(page(adjustment)).text

    def test_ask_for_a_fresh_proof_and_come_back(self):
        user = staff(FINANCE_CHECKER)
        client = sign_in_staff(world.Client(), user, recently=False)
        adjustment = world.propose(funded_customer("10.00"), by=staff(FINANCE_MAKER))
        for response in (client.get(page(adjustment, "approve")), decide(client, adjustment)):
            assert response.status_code == 302
            assert response.url.startswith("/account/")
        adjustment.refresh_from_db()
        assert adjustment.state == "PROPOSED"
        url = client.get(page(adjustment, "approve")).url
        if "2fa" not in url:  # asked for the password, or for a code of the app
            url = url.replace("/account/reauthenticate/", "/account/2fa/reauthenticate/")
        response = client.post(url, {"code": totp_code()})
        assert response.url == page(adjustment, "approve")
        assert client.get(response.url).status_code == 200
        assert decide(client, adjustment).status_code == 302
        adjustment.refresh_from_db()
        assert adjustment.state == "POSTED"

    def test_reject_with_a_reason(self, checker):
        customer = funded_customer("10.00")
        adjustment = world.propose(customer, by=staff(FINANCE_MAKER))
        assert checker.post(page(adjustment, "reject"), {"reason": " "}).status_code == 422
        assert checker.post(page(adjustment, "reject"), {"reason": "no"}).status_code == 302
        adjustment.refresh_from_db()
        assert (adjustment.state, adjustment.decision_note) == ("REJECTED", "no")
        assert balances(customer)[0] == "10.00"


class TestRoundTheSecondPerson:
    def refused(self, response, adjustment, *words):
        assert response.status_code == 422
        assert all(word in response.text for word in words)
        adjustment.refresh_from_db()
        assert adjustment.state in ("PROPOSED", "REJECTED")
        assert not JournalEntry.objects.filter(kind="ADJUSTMENT").exists()

    def test_nobody_approves_their_own(self, settings):
        both = staff(FINANCE_MAKER, FINANCE_CHECKER, locale="zh-hans")
        client = sign_in_staff(world.Client(), both)
        adjustment = world.propose(funded_customer("10.00"), by=both)
        assert page(adjustment, "approve") not in client.get(page(adjustment)).text
        self.refused(decide(client, adjustment), adjustment, "须由另一人审批")
        self.refused(client.post(page(adjustment, "reject"), {"reason": "x"}), adjustment)

    def test_a_maker_cannot_forge_an_approval(self, client, maker):
        adjustment = world.propose(funded_customer("10.00"), by=staff(FINANCE_MAKER))
        assert decide(client, adjustment).status_code == 403
        adjustment.refresh_from_db()
        assert adjustment.state == "PROPOSED"

    def test_another_payload_is_refused(self, checker):
        adjustment = world.propose(funded_customer("10.00"), by=staff(FINANCE_MAKER))
        self.refused(decide(checker, adjustment, payload_sha256="0" * 64), adjustment)
        self.refused(decide(checker, adjustment, payload_sha256=""), adjustment)

    @pytest.mark.tampers
    def test_a_changed_proposal_is_refused(self, checker):
        adjustment = world.propose(funded_customer("10.00"), by=staff(FINANCE_MAKER))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("UPDATE wallet_adjustment SET amount = 9999")
            cursor.execute("SET session_replication_role = DEFAULT")
        self.refused(decide(checker, adjustment), adjustment)

    def test_a_decided_one_is_not_decided_again(self, checker):
        adjustment = world.propose(funded_customer("10.00"), by=staff(FINANCE_MAKER))
        checker.post(page(adjustment, "reject"), {"reason": "no"})
        self.refused(decide(checker, adjustment), adjustment)

    def test_the_token_of_the_form_is_needed(self):
        client = world.Client(enforce_csrf_checks=True)
        sign_in_staff(client, staff(FINANCE_CHECKER))
        adjustment = world.propose(funded_customer("10.00"), by=staff(FINANCE_MAKER))
        assert decide(client, adjustment).status_code == 403
        adjustment.refresh_from_db()
        assert adjustment.state == "PROPOSED"


class TestPropose:
    def test_makes_one_of_a_form_sent_twice(self, client, maker):
        customer = funded_customer("10.00")
        for _ in range(2):
            response = client.post(reverse(PROPOSE), asked(customer))
            assert response.url == page(Adjustment.objects.get())
        other = asked(customer, amount="13.00")
        assert client.post(reverse(PROPOSE), other).status_code == 422
        assert Adjustment.objects.count() == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("amount", "-1"),
            ("amount", "0"),
            ("amount", "0.001"),
            ("amount", "1e30"),
            ("amount", "NaN"),
            ("amount", "１００"),
            ("amount", "12.345"),
            ("amount", "12,000"),
            ("amount", "9" * 30),
            ("amount", ""),
            ("reason", " "),
            ("direction", "SIDEWAYS"),
            ("kind", "POINTS"),
            ("customer", "999999999"),
            ("bonus_expires_on", "2099-01-01"),
            ("request_key", "../x"),
        ],
    )
    def test_says_at_the_field_what_is_wrong(self, client, maker, field, value):
        customer = funded_customer("10.00")
        response = client.post(reverse(PROPOSE), asked(customer, **{field: value}))
        assert response.status_code == 422
        assert response.context["form"].errors[field]
        assert not Adjustment.objects.exists()

    def test_says_at_the_amount_what_is_left_today(self, client, maker):
        client.post(reverse(PROPOSE), asked(funded_customer(), amount="49999.00"))
        sent = asked(funded_customer(), amount="1.01", request_key="b" * 24)
        response = client.post(reverse(PROPOSE), sent, headers={"accept-language": "en"})
        assert response.status_code == 422
        (said,) = response.context["form"].errors["amount"]
        assert "¥50,000.00 a day" in said and "¥1.00 is left today" in said
        assert Adjustment.objects.count() == 1

    def test_takes_the_customers_currency(self, client, maker):
        yen = open_customer(currency="JPY")
        response = client.post(reverse(PROPOSE), asked(yen, amount="100.50"))
        assert response.context["form"].errors["amount"]
        client.post(reverse(PROPOSE), asked(yen, amount="100"))
        assert str(Adjustment.objects.get().amount.currency) == "JPY"

    def test_refuses_what_is_no_document(self, client, maker):
        customer = funded_customer("10.00")
        for content in (b"<script>", b"MZ", b"%PDF-" + b"x" * (2 * 1024 * 1024)):
            sent = asked(customer, attachment=SimpleUploadedFile("proof.pdf", content))
            response = client.post(reverse(PROPOSE), sent)
            assert response.context["form"].errors["attachment"]
        assert not Adjustment.objects.exists()

    def test_begins_with_the_customer_it_was_opened_for(self, client, maker):
        customer = funded_customer("10.00", name="云杉")
        response = client.get(reverse(PROPOSE), {"customer": customer.pk})
        assert f'value="{customer.pk}" selected' in response.text
        assert client.get(reverse(PROPOSE), {"customer": "x"}).status_code == 200

    def test_takes_no_day_at_the_end_of_the_calendar(self, client, maker):
        sent = asked(funded_customer(), kind="BONUS", bonus_expires_on="9999-12-31")
        response = client.post(reverse(PROPOSE), sent)
        assert response.status_code == 422
        assert response.context["form"].errors["bonus_expires_on"]

    @pytest.mark.parametrize("customer", ["x", "-1", "²", "9" * 40, "1 OR 1"])
    def test_refuses_at_the_field_what_names_no_customer(self, client, maker, customer):
        response = client.post(reverse(PROPOSE), asked(funded_customer(), customer=customer))
        assert response.status_code == 422 and response.context["form"].errors["customer"]
        assert client.get(reverse(PROPOSE), {"customer": customer}).status_code == 200


class TestAlike:
    @pytest.fixture
    def customer(self):
        return funded_customer("10.00")

    @pytest.fixture
    def before(self, customer):
        return world.propose(customer, by=staff(FINANCE_MAKER))

    def test_is_asked_about_before_it_is_proposed_once_more(self, client, maker, customer, before):
        sent = asked(customer, amount=str(before.amount.amount))
        response = client.post(reverse(PROPOSE), sent)
        assert response.status_code == 422 and response.context["form"].errors["once_more"]
        assert page(before) in response.text
        response = client.post(reverse(PROPOSE), sent | {"once_more": "on"})
        assert response.status_code == 302 and Adjustment.objects.count() == 2

    @pytest.mark.parametrize("field", ["customer", "direction", "amount"])
    def test_is_not_what_differs(self, client, maker, customer, before, field):
        other = {
            "customer": funded_customer("10.00").pk,
            "direction": "DEBIT" if before.direction == "CREDIT" else "CREDIT",
            "amount": "1.01",
        }
        sent = asked(customer, amount=str(before.amount.amount)) | {field: other[field]}
        assert client.post(reverse(PROPOSE), sent).status_code == 302

    def test_is_shown_on_a_form_that_is_filled_in(self, client, maker, customer, before):
        given = {
            "customer": customer.pk,
            "direction": before.direction,
            "amount": str(before.amount.amount),
        }
        response = client.get(reverse(PROPOSE), given)
        assert page(before) in response.text and 'name="once_more"' in response.text
        response = client.get(reverse(PROPOSE), given | {"amount": "1.01"})
        assert page(before) not in response.text and 'name="once_more"' not in response.text

    def test_is_shown_to_the_checker(self, checker, customer, before):
        assert decide(checker, before).status_code == 302
        after = world.propose(customer, by=staff(FINANCE_MAKER), once_more=True)
        for what in ("approve", "reject", "change"):
            assert page(before) in checker.get(page(after, what)).text
        assert decide(checker, after).status_code == 302
        assert page(before) not in checker.get(page(after)).text

    def test_is_not_what_was_rejected_or_is_long_past(self, customer, before, checker):
        def found(at):
            return corrections.alike(
                customer=customer, direction=before.direction, amount=before.amount, at=at
            )

        assert list(found(before.proposed_at)) == [before]
        assert list(found(before.proposed_at + timedelta(days=89))) == [before]
        assert list(found(before.proposed_at + timedelta(days=90))) == []
        checker.post(page(before, "reject"), {"reason": "no"})
        assert list(found(before.proposed_at)) == []


class TestProposal:
    def test_says_that_the_customer_is_frozen(self, client, maker, checker):
        customer = funded_customer("10.00")
        adjustment = world.propose(customer, by=staff(FINANCE_MAKER))
        words = "This customer is frozen"
        english = {"headers": {"accept-language": "en"}}
        assert words not in checker.get(page(adjustment, "approve"), **english).text
        customers.freeze(customer_id=customer.pk, reason="x", at=adjustment.proposed_at, by=None)
        for what in ("approve", "reject", "change"):
            assert words in checker.get(page(adjustment, what), **english).text
        given = {"customer": customer.pk}
        assert words in client.get(reverse(PROPOSE), given, **english).text
        assert decide(checker, adjustment).status_code == 302
        adjustment.refresh_from_db()
        assert adjustment.state == "POSTED"

    def test_says_that_more_is_to_be_taken_than_there_is(self, client, maker, checker):
        customer = funded_customer("10.00")
        english = {"headers": {"accept-language": "en"}}
        for amount, key, is_too_much in (("10.00", "a" * 24, False), ("10.01", "b" * 24, True)):
            sent = asked(customer, direction="DEBIT", amount=amount, request_key=key)
            client.post(reverse(PROPOSE), sent)
            shown = checker.get(page(Adjustment.objects.latest("pk"), "approve"), **english).text
            assert ("less than is to be taken" in shown) == is_too_much

    def test_tells_what_the_wallet_has_afterwards(self, checker):
        adjustment = world.propose(funded_customer("10.00"), by=staff(FINANCE_MAKER))
        shown = checker.get(page(adjustment, "approve"), headers={"accept-language": "zh-hans"})
        assert "调账后" in shown.text and "到期之后" not in shown.text


class TestAttachment:
    def test_is_handed_out_to_be_kept(self, checker):
        adjustment = world.propose(
            funded_customer("1.00"), by=staff(FINANCE_MAKER), attachment=b"%PDF-1.7 proof"
        )
        response = checker.get(page(adjustment, "attachment"))
        assert response.content == b"%PDF-1.7 proof"
        assert response["Content-Type"] == "application/pdf"
        assert response["Content-Disposition"].startswith("attachment;")
        assert response["X-Content-Type-Options"] == "nosniff"

    def test_is_not_there_without_one(self, checker):
        adjustment = world.propose(funded_customer("1.00"), by=staff(FINANCE_MAKER))
        assert checker.get(page(adjustment, "attachment")).status_code == 404


class TestList:
    def test_tells_what_waits_for_me(self, checker):
        mine = world.propose(funded_customer("1.00"), by=staff(FINANCE_MAKER))
        url = reverse("admin:wallet_adjustment_changelist")
        assert mine.number in checker.get(url, {"waiting": "me"}).text
        assert mine.number not in checker.get(url, {"waiting": "others"}).text
