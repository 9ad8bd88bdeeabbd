import io
import sys
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils.translation import override

from accounts.models import Customer
from crm_billing import letters, outbox
from packages import bounces, notices
from packages.bounces import NotAReport, NotOurs, NotYet
from packages.models import Charge, Notice, Subscription
from packages.renewals import RenewalReport
from tests.factories import cny, funded_customer, member_of, owner_of
from tests.packages.bouncing import MINUTE, address, message_id, report, returned, soon_renewed
from tests.packages.buying import bought, left
from tests.packages.renewing import DAY, announced, now, swept, told
from wallet import books

pytestmark = pytest.mark.django_db


@pytest.fixture
def one() -> Subscription:
    return soon_renewed()


def correct(one: Subscription, to: str) -> None:
    Customer.objects.filter(pk=one.customer_id).update(contact_email=to)


class TestTake:
    def test_keeps_when_why_and_from_whom(self, one):
        notice = returned(one)
        assert notice.bounced_at == one.paid_until - 6 * DAY + MINUTE
        assert notice.bounced_to == notice.sent_to == [address(one)]
        assert "550 5.1.1" in notice.bounce_reason

    @pytest.mark.parametrize("whole", [True, False])
    def test_finds_the_notice_in_what_came_back(self, one, whole):
        raw = report(message_id(), address(one), whole=whole)
        assert bounces.take(raw=raw, at=one.paid_until) == Notice.objects.get()

    def test_finds_it_by_the_address_it_came_back_to(self, settings):
        settings.BOUNCE_ADDRESS = "bounces@portal.example"
        one = announced(bought())
        sent = mail.outbox[-1]
        assert sent.message()["From"] != sent.from_email
        name, _at, host = sent.from_email.rpartition("@")
        assert name.startswith("bounces+notice.") and host == "portal.example"
        assert len(name) <= 64
        for raw, receiver in [
            (report("<lost@x>", address(one), to=sent.from_email), ""),
            (report("<lost@x>", address(one)), sent.from_email),
        ]:
            assert bounces.take(raw=raw, at=one.paid_until, receiver=receiver)

    def test_the_same_report_again_changes_nothing(self, one):
        first = returned(one)
        assert returned(one, at=one.paid_until) == first
        assert Notice.objects.get().bounced_at == first.bounced_at

    @pytest.mark.parametrize(
        ("action", "status"),
        [("delayed", "4.4.1"), ("failed", "4.2.2"), ("delivered", "2.0.0"), ("relayed", "5.1.1")],
    )
    def test_what_is_not_for_good_changes_nothing(self, one, action, status):
        raw = report(message_id(), address(one), action=action, status=status)
        assert bounces.take(raw=raw, at=one.paid_until) is None
        assert Notice.objects.get().bounced_at is None

    def test_one_address_may_be_forwarded_to_another(self, one):
        raw = report(message_id(), address(one), final=["elsewhere@example.net"])
        notice = bounces.take(raw=raw, at=one.paid_until)
        assert notice is not None and Notice.objects.get().bounced_to == [address(one)]

    def test_is_undelivered_when_the_last_of_several_has_failed(self):
        customer = funded_customer("1000.00")
        other = member_of(customer, "OWNER").email
        correct(bought(customer), "")
        one = announced(Subscription.objects.get())
        for count, failing in enumerate(tuple(mail.outbox[-1].to), 1):
            bounces.take(raw=report(message_id(), failing.upper()), at=one.paid_until)
            notice = Notice.objects.get()
            assert len(notice.bounced_to) == count
            assert (notice.bounced_at is not None) == (count == 2)
        assert other in notice.bounced_to

    def test_a_stranger_among_several_counts_for_nobody(self):
        customer = funded_customer("1000.00")
        member_of(customer, "OWNER")
        correct(bought(customer), "")
        one = announced(Subscription.objects.get())
        with pytest.raises(NotOurs):
            bounces.take(raw=report(message_id(), "x@example.net"), at=one.paid_until)
        assert Notice.objects.get().bounced_to == []

    def test_a_report_that_outruns_our_note_is_to_be_given_again(self):
        one = bought()
        notices.prepare(at=one.paid_until - 6 * DAY)
        notice = Notice.objects.get()
        named = f"<packages.{letters.sealed(f'notice.{notice.pk}')}@example.com>"
        with pytest.raises(NotYet):
            bounces.take(raw=report(named, address(one)), at=one.paid_until)


class TestForgery:
    """
    Nobody who cannot read a mail of ours can make it come back.
    """

    def forged(self) -> list[str]:
        pk = Notice.objects.get().pk
        sealed = letters.sealed(f"notice.{pk}")
        other = letters.sealed(f"notice.{pk + 1}").rpartition(".")[2]
        return [
            f"<notice.{pk}@example.com>",
            f"<packages.notice.{pk}.{'0' * 32}@example.com>",
            f"<packages.notice.{pk}.{other}@example.com>",
            f"<packages.{sealed[:-1]}@example.com>",
            f"<packages.notice.{pk + 7}.{sealed.rpartition('.')[2]}@example.com>",
            f"<packages.{letters.sealed(f'renewal.{pk}')}@example.com>",
            f"<packages.{letters.sealed(f'notice.{pk + 7}')}@example.com>",
            f"<packages.{letters.sealed('notice.999999999999999999')}@example.com>",
            "",
        ]

    def test_is_refused_and_changes_nothing(self, one):
        for named in self.forged():
            with pytest.raises(NotOurs):
                bounces.take(raw=report(named, address(one)), at=one.paid_until)
        assert Notice.objects.get().bounced_at is None
        assert swept(one.paid_until) == RenewalReport(ok=1)

    def test_with_another_key_is_refused_and_with_the_last_one_is_not(self, one, settings):
        raw = report(message_id(), address(one))
        old, settings.SECRET_KEY = settings.SECRET_KEY, "another"
        with pytest.raises(NotOurs):
            bounces.take(raw=raw, at=one.paid_until)
        settings.SECRET_KEY_FALLBACKS = [old]
        assert bounces.take(raw=raw, at=one.paid_until)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\xff\xfe\x00" * 50,
            b"Subject: hello\n\nyou owe me money\n",
            b"Content-Type: multipart/report; boundary=x\n\n--x\n\nnothing\n--x--\n",
            b"Content-Type: message/delivery-status\n\nAction: failed\nStatus: 5.0.0\n",
        ],
    )
    def test_other_mails_are_no_reports(self, raw):
        with pytest.raises(NotAReport):
            bounces.read(raw)

    def test_what_their_server_says_is_one_line_without_nul(self, one):
        raw = report(message_id(), address(one)).replace(b"User unknown", b"a\x00b" + b"x" * 900)
        bounces.take(raw=raw, at=one.paid_until)
        reason = Notice.objects.get().bounce_reason
        assert len(reason) == 500 and "ab" in reason and "\n" not in reason


class TestSend:
    @pytest.mark.parametrize("status", ["550 5.1.1", "553 5.1.10", "550 5.2.1"])
    def test_a_wrong_address_has_come_back_and_is_not_tried_again(self, mailbox, status):
        one = bought()
        mailbox.refuse_addresses(f"{status} No such user")
        told(one.paid_until - 6 * DAY)
        notice = Notice.objects.get()
        assert (notice.sent_at, notice.bounced_to) == (None, [address(one)])
        assert "No such user" in notice.bounce_reason
        assert not outbox.pending().filter(topic="notice.send").exists()

    @pytest.mark.parametrize(
        "reply",
        [
            "450 4.2.1 Greylisted",
            "454 5.1.1 Wrong, and yet not for good",
            "550 5.1.7 Sender address rejected",
            "550 5.1.8 Sender address rejected: Domain not found",
            "550 relay not permitted",
            "550 5.2.2 Mailbox full",
            "554 5.7.1 Relay access denied",
        ],
    )
    def test_what_is_no_fault_of_the_address_is_tried_again(self, mailbox, reply):
        one = bought()
        mailbox.refuse_addresses(reply)
        told(one.paid_until - 6 * DAY)
        assert Notice.objects.get().bounced_at is None
        mailbox.accept()
        outbox.relay(at=one.paid_until - 5 * DAY)
        assert Notice.objects.get().sent_at is not None


class TestRenewal:
    def test_waits_while_its_announcement_has_reached_nobody(self, one):
        returned(one)
        assert swept(one.paid_until) == RenewalReport(waiting=1)
        assert (left(one.customer), now(one).state) == (cny("901.00"), "ACTIVE")

    def test_is_not_announced_again_to_the_same_address(self, one):
        returned(one)
        for days in range(5):
            told(one.paid_until - days * DAY)
        assert Notice.objects.filter(kind="RENEWAL").count() == 1

    def test_is_announced_anew_to_a_corrected_address_and_charged_in_time(self, one):
        returned(one)
        correct(one, "new@example.com")
        told(one.paid_until - 3 * DAY)
        again = Notice.objects.get(step=1)
        assert (again.sent_to, again.due_at) == (["new@example.com"], one.paid_until + 2 * DAY)
        told(one.paid_until - 2 * DAY)
        assert Notice.objects.count() == 2
        assert swept(one.paid_until) == RenewalReport(waiting=1)
        assert swept(one.paid_until + 2 * DAY + MINUTE) == RenewalReport(ok=1)
        assert Charge.objects.get(kind="RENEWAL").notice == again

    def test_is_announced_again_when_staff_say_that_the_address_is_right(self, one):
        notice = returned(one)
        notices.announce_again(notice_id=notice.pk, at=one.paid_until)
        outbox.relay(at=one.paid_until)
        assert Notice.objects.get(step=1).sent_to == [address(one)]
        with pytest.raises(notices.NothingToAnnounce):
            notices.announce_again(notice_id=notice.pk, at=one.paid_until)
        assert swept(one.paid_until + 5 * DAY + MINUTE) == RenewalReport(ok=1)

    def test_that_was_made_stands_when_its_announcement_comes_back_later(self, one):
        assert swept(one.paid_until) == RenewalReport(ok=1)
        notice = returned(one, at=one.paid_until)  # at the same moment, known after it
        assert notice.bounced_at == one.paid_until + timedelta.resolution
        assert not Notice.objects.holding_up().exists()
        assert not books.violations()["I13"]

    def test_other_notices_that_come_back_hold_up_nothing(self):
        one = bought(auto_renew=False)
        told(one.paid_until - 1 * DAY)
        returned(one, at=one.paid_until)
        assert not Notice.objects.holding_up().exists()
        assert not outbox.pending().filter(topic="notice.bounced").exists()

    def test_staff_are_told_once(self, one, settings):
        settings.ALARM_EMAILS = ["ops@example.com"]
        returned(one)
        mail.outbox.clear()
        with override("en"):
            for _ in range(2):
                outbox.relay(at=one.paid_until - 5 * DAY)
        [alarm] = mail.outbox
        assert alarm.to == ["ops@example.com"]
        assert one.number in alarm.subject and address(one) in alarm.body


class TestCommand:
    @pytest.fixture
    def piped(self, monkeypatch):
        def give(raw: bytes, *words: str) -> str:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
            said = io.StringIO()
            call_command("take_bounce", *words, stdout=said)
            return said.getvalue()

        return give

    def test_says_what_came_back(self, one, piped):
        said = piped(report(message_id(), address(one)))
        assert said.startswith(f"Notice {Notice.objects.get().pk} came back: 550 5.1.1")

    def test_says_when_nothing_changes(self, one, piped):
        raw = report(message_id(), address(one), action="delayed", status="4.0.0")
        assert piped(raw) == "Not for good: nothing was changed.\n"

    @pytest.mark.parametrize("raw", [b"Subject: x\n\nx\n", report("<x@y>", "a@example.com")])
    def test_ends_with_65_on_what_is_not_ours(self, piped, raw):
        with pytest.raises(CommandError, match="Nothing was changed") as ended:
            piped(raw)
        assert ended.value.returncode == 65

    def test_ends_with_75_on_what_is_to_come_again(self, piped):
        one = bought()
        notices.prepare(at=one.paid_until - 6 * DAY)
        named = letters.sealed(f"notice.{Notice.objects.get().pk}")
        with pytest.raises(CommandError) as ended:
            piped(report(f"<packages.{named}@x>", address(one)))
        assert ended.value.returncode == 75


class TestPages:
    @pytest.fixture
    def page(self, client, one):
        client.force_login(owner_of(one.customer))
        return lambda: client.get(
            f"/subscriptions/{one.number}/", headers={"accept-language": "en"}
        ).content.decode()

    def test_the_owner_is_asked_for_another_address_until_there_is_one(self, one, page):
        assert "Our mail came back" not in page()
        returned(one)
        assert "Our mail came back" in page() and address(one) in page()
        assert 'href="/settings/"' in page()
        correct(one, "new@example.com")
        assert "Our mail came back" not in page()

    def test_others_are_told_whom_to_ask(self, one, client):
        returned(one)
        client.force_login(member_of(one.customer))
        said = client.get(
            f"/subscriptions/{one.number}/", headers={"accept-language": "en"}
        ).content.decode()
        assert "Our mail came back" in said and "Ask one of them." in said

    def test_the_charge_tells_that_its_announcement_came_back_afterwards(self, one, client):
        swept(one.paid_until)
        charge = Charge.objects.get(kind="RENEWAL")
        client.force_login(owner_of(one.customer))

        def said() -> str:
            page = client.get(f"/charges/{charge.pk}/", headers={"accept-language": "en"})
            return page.content.decode()

        assert "came back afterwards" not in said()
        returned(one, at=one.paid_until + DAY)
        assert "came back afterwards" in said()
