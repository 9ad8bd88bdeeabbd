import hashlib
from datetime import timedelta

import pytest
from django.conf import settings as live
from django.test import Client

from accounts.models import Customer, Member, User
from crm_billing import outbox
from crm_billing.models import Outbox
from reports import alarms, mails
from reports.models import ReceiptDocument
from tests.factories import member_of, open_customer, owner_of
from tests.reports.receipt_setting import (
    RUN,
    drawn,
    issued,
    named,
    run_errands,
    squeezed,
    text_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]


def mailed_of(receipt) -> ReceiptDocument:
    return ReceiptDocument.objects.get(receipt=receipt)


class TestMailReceipt:
    def test_sends_the_stored_bytes(self, mailbox, client: Client):
        receipt = issued()
        run_errands()
        (mail,) = mailbox.messages
        attached = mail.attachments[f"{receipt.number}.pdf"]
        document = mailed_of(receipt)
        digest = hashlib.sha256(attached).hexdigest()
        assert digest == document.pdf_sha256
        assert digest in client.get(f"/verify/{receipt.code}/").text
        assert digest in mail.text and digest in mail.html
        assert receipt.number in text_of(attached)

    def test_writes_chinese_to_chinese_customers(self, mailbox):
        receipt = issued(name="晨星科技", bonus="50.00")
        run_errands()
        (mail,) = mailbox.messages
        assert "收据" in mail.subject and receipt.number in mail.subject
        for body in (mail.text, mail.html):
            for part in (
                "¥12,345.67",
                "人民币壹万贰仟叁佰肆拾伍元陆角柒分",
                "晨星科技",
                "¥50.00",
                "赠送金额不可提现、不开票",
                receipt.number,
                f"/receipts/{receipt.number}/",
                f"/verify/{receipt.code}/",
            ):
                assert part in body, part

    def test_writes_english_to_english_customers(self, mailbox):
        receipt = issued(name="Morning Star", locale="en")
        run_errands()
        (mail,) = mailbox.messages
        assert "receipt" in mail.subject and receipt.number in mail.subject
        assert "This receipt is not an invoice." in mail.text
        assert 'lang="en"' in mail.html

    def test_html_needs_nothing_from_outside(self, mailbox):
        issued()
        run_errands()
        html = mailbox.messages[0].html
        assert "<img" not in html and "<script" not in html and "<link" not in html
        assert "prefers-color-scheme: dark" in html

    def test_shows_hostile_names_as_text(self, mailbox):
        issued(named("<b>x</b>\u202e&copy; {{ receipt }}"))
        run_errands()
        (mail,) = mailbox.messages
        assert "&lt;b&gt;x&lt;/b&gt;&amp;copy; {{ receipt }}" in mail.html
        assert "<b>x</b>&copy; {{ receipt }}" in mail.text

    def test_goes_to_the_billing_address(self, mailbox):
        customer = open_customer()
        Customer.objects.filter(pk=customer.pk).update(contact_email="bills@example.com")
        issued(customer)
        run_errands()
        assert mailbox.messages[0].to == ("bills@example.com",)

    def test_goes_to_the_owners_without_one(self, mailbox):
        customer = open_customer()
        owner = owner_of(customer)
        member_of(customer, Member.Role.VIEWER)
        gone = member_of(customer, Member.Role.OWNER, is_active=False)
        Customer.objects.filter(pk=customer.pk).update(contact_email="")
        issued(customer)
        run_errands()
        assert mailbox.messages[0].to == (owner.email,)
        assert gone.email not in mailbox.messages[0].to

    def test_is_sent_once_however_often_it_is_asked_for(self, mailbox):
        receipt = issued()
        run_errands()
        for _again in range(3):
            mails.mail_receipt(receipt_id=receipt.pk, at=RUN)
            drawn(receipt)
            run_errands()
        assert len(mailbox.messages) == 1
        document = mailed_of(receipt)
        assert document.mailed_at is not None
        assert document.message_id == mailbox.messages[0].message_id

    def test_keeps_its_message_id_when_a_worker_died_after_sending(self, mailbox):
        receipt = issued()
        document = drawn(receipt)
        with_mail = ReceiptDocument.objects.select_related("receipt__customer", "receipt__topup")
        mails._receipt_message(receipt, with_mail.get(pk=document.pk)).send()
        mails.mail_receipt(receipt_id=receipt.pk, at=RUN)
        first, second = mailbox.messages
        assert first.message_id == second.message_id
        assert receipt.code not in first.message_id

    def test_comes_when_the_mail_server_is_back(self, mailbox):
        receipt = issued()
        mailbox.stop()
        assert run_errands().failed == 1
        errand = Outbox.objects.get(topic="receipt.mail")
        assert errand.sent_at is None and errand.next_try_at > RUN
        assert mailed_of(receipt).mailed_at is None
        mailbox.start()
        assert run_errands().sent == 0
        assert run_errands(errand.next_try_at).sent == 1
        assert run_errands(errand.next_try_at + timedelta(days=1)).sent == 0
        assert len(mailbox.messages) == 1
        assert mailed_of(receipt).mailed_at is not None

    @pytest.mark.parametrize("reply", ["451 Try again later", "554 No"])
    def test_is_tried_again_when_the_server_says_no(self, mailbox, reply):
        issued()
        mailbox.refuse(reply)
        run_errands()
        errand = Outbox.objects.get(topic="receipt.mail")
        mailbox.accept()
        assert run_errands(errand.next_try_at).sent == 1
        assert len(mailbox.messages) == 1

    def test_is_given_up_after_many_tries_and_people_are_told(self, mailbox, settings):
        settings.ALARM_EMAILS = ["alarm@example.com"]
        receipt = issued()
        mailbox.stop()
        moment = RUN
        for _attempt in range(live.OUTBOX_MAX_ATTEMPTS):
            run_errands(moment)
            moment += timedelta(hours=2)
        errand = Outbox.objects.get(topic="receipt.mail")
        assert errand.parked_at is not None
        assert alarms.report_parked(at=moment) == 1
        assert alarms.report_parked(at=moment) == 0
        mailbox.start()
        run_errands(moment)
        (alarm,) = mailbox.to("alarm@example.com")
        assert receipt.number in alarm.subject and "receipt.mail" in alarm.text
        outbox.unpark([errand.pk], at=moment)
        run_errands(moment)
        assert len([mail for mail in mailbox.messages if receipt.number in mail.attachments]) == 0
        assert len([mail for mail in mailbox.messages if mail.attachments]) == 1

    def test_needs_somebody(self, mailbox):
        customer = open_customer()
        receipt = issued(customer)
        drawn(receipt)
        Customer.objects.filter(pk=customer.pk).update(contact_email="")
        User.objects.filter(pk=owner_of(customer).pk).update(is_active=False)
        with pytest.raises(mails.NobodyToMail):
            mails.mail_receipt(receipt_id=receipt.pk, at=RUN)


class TestReportParked:
    def test_raises_no_alarm_about_its_own(self, mailbox, settings):
        settings.ALARM_EMAILS = ["alarm@example.com"]
        Outbox.objects.create(
            topic="outbox.parked",
            key="1:x",
            payload={},
            created_at=RUN,
            next_try_at=RUN,
            parked_at=RUN,
        )
        assert alarms.report_parked(at=RUN + timedelta(minutes=1)) == 0

    def test_only_logs_when_there_is_nobody_to_tell(self, mailbox):
        mails.tell_of_parked(topic="a", key="b", reason="c")
        assert mailbox.messages == []


def test_mail_text_has_no_markup(mailbox):
    issued(name="A & B")
    run_errands()
    assert "A & B" in mailbox.messages[0].text
    assert squeezed("<td") not in squeezed(mailbox.messages[0].text)
