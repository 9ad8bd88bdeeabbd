"""
kill -9 on the worker while it draws, keeps and mails a receipt; the next worker finishes the job.
"""

import signal
from datetime import timedelta

import pytest

from crm_billing import outbox
from reports.models import ReceiptDocument
from tests import victims
from tests.reports.receipt_setting import RUN, issued
from wallet import queries

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fake_gateway"),
]


def work(crash: str, mailbox) -> int:
    """
    Relay in a worker of its own that dies at the named point; return how it ended.
    """
    order: dict[str, object] = {"port": mailbox.port, "at": RUN.isoformat()}
    ended = victims.run("tests.reports.crash_victim", crash, order)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode


class TestWorker:
    def test_lives_when_no_point_is_armed(self, mailbox):
        issued()
        assert work("nowhere", mailbox) == 0
        assert len(mailbox.messages) == 1

    @pytest.mark.parametrize(
        ("crash", "documents", "mails", "mails_in_the_end"),
        [
            ("receipt_after_draw", 0, 0, 1),
            ("receipt_after_keep", 1, 0, 1),
            # It said yes and we died before noting it: the same mail again, under the same id.
            ("mail_after_send", 1, 1, 2),
        ],
    )
    def test_killed_then_followed_by_another(
        self, crash, documents, mails, mails_in_the_end, mailbox
    ):
        receipt = issued(amount="100.00")
        assert work(crash, mailbox) == -signal.SIGKILL
        assert ReceiptDocument.objects.count() == documents
        assert len(mailbox.messages) == mails

        # not before the dead worker's lease is over
        assert not ReceiptDocument.objects.filter(mailed_at__isnull=False)
        later = RUN + outbox.LEASE + timedelta(seconds=1)
        outbox.relay(at=later)
        outbox.relay(at=later + timedelta(days=1))

        document = ReceiptDocument.objects.get(receipt=receipt)
        assert document.mailed_at is not None
        assert len(mailbox.messages) == mails_in_the_end
        assert {mail.message_id for mail in mailbox.messages} == {document.message_id}
        attached = {mail.attachments[f"{receipt.number}.pdf"] for mail in mailbox.messages}
        assert attached == {bytes(document.pdf)}
        assert str(queries.balance(receipt.customer).available.amount) == "100.00"
        assert not outbox.pending().exists() and not outbox.parked().exists()
