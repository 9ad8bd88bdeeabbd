"""
What a top-up's page tells: where it stands, what the reader can do, what has happened so far.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from accounts.models import Customer
from crm_billing.templatetags.ui import money as shown
from wallet import gateways
from wallet.gateways.base import ClientAction
from wallet.models import Case, PaymentAttempt, Receipt, TopUp

# Seconds until the page asks again, by how often it has asked.
PAUSES = (2, 2, 2, 3, 3, 5, 5, 8, 8, 10, 15, 15, 20, 30)

LATEST = datetime.max.replace(tzinfo=UTC)

Attempt = PaymentAttempt.State
State = TopUp.State
NO_MISMATCH = (Case.Kind.UNRESOLVED, Case.Kind.SURPLUS)
# tells in a list which unpaid top-ups our staff are looking at, as `tell` says on their own pages
WITH_STAFF = ~Q(state=State.PAID) & Exists(
    Case.objects.filter(attempt__topup=OuterRef("pk"), state=Case.State.OPEN).exclude(
        kind__in=NO_MISMATCH
    )
)
OPEN_AT_GATEWAY = (Attempt.SUBMITTED, Attempt.PENDING, Attempt.UNKNOWN)


@dataclass(slots=True)
class Story:
    """
    may: what the reader can do now, of pay, go, retry, ask, cancel, again.
    came_back: the reader has just come back from the gateway, which proves no payment.
    step: 1-based, of `steps`; one more than there are means all done.
    """

    topup: TopUp
    attempts: list[PaymentAttempt]
    cases: list[Case]
    receipt: Receipt | None
    title: str = ""
    text: str = ""
    look: str = ""
    step: int = 2
    final: bool = False
    counts_down: bool = False
    came_back: bool = False
    action: ClientAction | None = None
    may: set[str] = field(default_factory=set)

    @property
    def steps(self) -> list[str]:
        return [_("Created"), _("Payment"), _("Credited"), _("Receipt")]

    @property
    def version(self) -> str:
        """
        Changes exactly when the page would look different.
        """
        parts = [self.topup.state, self.topup.customer.status, bool(self.receipt), self.came_back]
        parts += [(case.pk, case.state) for case in self.cases]
        parts += [(one.pk, one.state, bool(one.client_action)) for one in self.attempts]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def gateway_label(self) -> str:
        return gateways.label(self.topup.gateway)

    @property
    def last(self) -> PaymentAttempt | None:
        return self.attempts[-1] if self.attempts else None

    def next_look(self, looks: int) -> int | None:
        """
        Return in how many seconds the page should ask again, None when nothing will change.
        """
        if self.final:
            return None
        return PAUSES[min(max(looks, 0), len(PAUSES) - 1)]


def tell(topup: TopUp, *, at: datetime, may_act: bool, came_back: bool = False) -> Story:
    """
    Read everything the page shows about a top-up.

    may_act: the reader may pay; others only see how it stands.
    came_back: as `Story` says.
    """
    attempts = list(topup.attempts.order_by("pk"))
    story = Story(
        topup=topup,
        attempts=attempts,
        cases=list(Case.objects.filter(attempt__in=attempts).order_by("pk")),
        receipt=Receipt.objects.filter(topup=topup).first(),
        came_back=came_back,
    )
    match topup.state:
        case State.PAID:
            _paid(story)
        case State.EXPIRED:
            _expired(story)
        case State.CANCELLED:
            _cancelled(story)
        case _:
            _open(story, at)
    if topup.state != State.PAID:
        if any(case.state == Case.State.OPEN for case in _mismatches(story)):
            _with_staff(story)
        elif _mismatches(story):
            _dealt_with(story)
        elif topup.customer.status != Customer.Status.ACTIVE:
            _frozen(story)
    if not may_act:
        story.may, story.action = set(), None
    return story


def _paid(story: Story) -> None:
    story.title = _("The money has arrived")
    story.text = _("It is in the wallet and can be used now.")
    if any(case.kind == Case.Kind.SURPLUS and not case.resolved_at for case in story.cases):
        story.text = _(
            "It is in the wallet and can be used now. A second payment has come for it as well: "
            "our staff has been told and will see to it."
        )
    story.look, story.step, story.final = "good", len(story.steps) + 1, True
    story.may = {"again"}


def _expired(story: Story) -> None:
    story.title = _("Time is up")
    story.text = _(
        "No payment was confirmed in time, so nothing was charged here. If you have paid after "
        "all, nothing is lost: the money is credited as soon as it is confirmed."
    )
    story.look, story.final = "plain", not _waits(story)
    story.may = {"again", "ask"}


def _cancelled(story: Story) -> None:
    story.title = _("Cancelled")
    story.text = _(
        "You gave this top-up up. Should a payment for it arrive after all, it is credited."
    )
    story.look, story.final = "plain", not _waits(story)
    story.may = {"again", "ask"}


def _open(story: Story, at: datetime) -> None:
    last = story.last
    state = last.state if last else Attempt.CREATED
    story.look, story.counts_down = "wait", True
    story.may = {"cancel"}
    match state:
        case Attempt.CREATED:
            story.title = _("Ready to pay")
            story.text = _("Go on to %(gateway)s to pay.") % {"gateway": story.gateway_label}
            story.may |= {"pay"}
        case Attempt.SUBMITTED:
            story.title = _("Preparing the payment…")
            story.text = _("This takes a few seconds. You need not do anything.")
        case Attempt.PENDING:
            story.title = _("Waiting for your payment")
            story.text = _("As soon as %(gateway)s confirms it, the money is in the wallet.") % {
                "gateway": story.gateway_label
            }
            story.may |= {"go", "ask"}
            story.action = _action(last)
            if story.came_back:
                story.title = _("We are checking your payment")
                story.text = _(
                    "You have come back from %(gateway)s. If you have paid, the money arrives in a "
                    "few seconds and this page shows it; please do not pay a second time."
                ) % {"gateway": story.gateway_label}
        case Attempt.UNKNOWN:
            story.title = _("We are asking the payment service")
            story.text = _(
                "It has not answered clearly yet. We keep asking and this page shows the result. "
                "Please do not pay a second time."
            )
            story.look = "warn"
            story.may |= {"ask"}
        case _:
            story.title = _("The payment did not go through")
            story.text = _("Nothing was charged here. You can try again until the time is up.")
            story.look = "bad"
            story.may |= {"retry", "ask"}
    if story.topup.expires_at <= at:
        story.may -= {"pay", "go", "retry"}
        story.action = None


def _with_staff(story: Story) -> None:
    story.title = _("Your payment needs a look by our staff")
    story.text = _(
        "We received a payment that does not match this top-up. Our staff has been told and "
        "will contact you. You need not pay again."
    )
    story.look, story.may, story.action = "warn", set(), None
    story.counts_down = False


def _dealt_with(story: Story) -> None:
    story.title = _("Our staff has dealt with your payment")
    story.text = _(
        "A payment arrived that did not match this top-up, and our staff has closed the matter. "
        "Please contact us if anything is unclear; do not pay this top-up again."
    )
    story.look, story.may, story.action = "plain", {"again"}, None
    story.counts_down = False


def _frozen(story: Story) -> None:
    story.text = _(
        "This customer is frozen, so please do not pay now. Should a payment be on its way, "
        "nothing is lost: it is credited."
    )
    story.look, story.action, story.counts_down = "warn", None, False
    story.may -= {"pay", "go", "retry", "again"}


def _waits(story: Story) -> bool:
    """
    Tell whether an attempt of a closed top-up may still turn out paid within minutes.
    """
    return any(one.next_query_at for one in story.attempts if one.state in OPEN_AT_GATEWAY)


def _mismatches(story: Story) -> list[Case]:
    return [case for case in story.cases if case.kind not in NO_MISMATCH]


def _action(attempt: PaymentAttempt | None) -> ClientAction | None:
    if attempt is None or not attempt.client_action:
        return None
    return ClientAction.from_json(attempt.client_action)


def timeline(story: Story) -> list[dict[str, Any]]:
    """
    List what has happened, oldest first, for components/timeline.html.
    """
    topup = story.topup
    events = [
        {
            "at": topup.created_at,
            "title": _("Top-up of %(amount)s ordered") % {"amount": shown(topup.amount)},
            "icon": "circle-plus",
            "who": str(topup.created_by) if topup.created_by else "",
        }
    ]
    for place, attempt in enumerate(story.attempts, start=1):
        events += _attempt_events(attempt, place, len(story.attempts))
    if topup.state == State.EXPIRED:
        events.append({"at": topup.expires_at, "title": _("Time ran out"), "icon": "clock"})
    if topup.state == State.CANCELLED:
        events.append({"at": None, "title": _("Cancelled"), "icon": "circle-minus"})
    if story.receipt:
        events.append(
            {
                "at": story.receipt.issued_at,
                "title": _("Credited, receipt %(number)s issued")
                % {"number": story.receipt.number},
                "icon": "receipt",
                "tone": "good",
            }
        )
    for case in story.cases:
        events.append(
            {
                "at": case.opened_at,
                "title": _("Handed to our staff: %(problem)s")
                % {"problem": case.get_kind_display()},
                "icon": "alert-triangle",
                "tone": "warn",
            }
        )
        if case.resolved_at:
            events.append(
                {"at": case.resolved_at, "title": _("Dealt with by our staff"), "icon": "check"}
            )
    return sorted(events, key=lambda event: event["at"] or LATEST)


def _attempt_events(attempt: PaymentAttempt, place: int, count: int) -> list[dict[str, Any]]:
    which = (_("Attempt %(place)s") % {"place": place} + " · ") if count > 1 else ""
    number = {"text": attempt.number, "to_copy": attempt.number}
    events: list[dict[str, Any]] = []
    if attempt.submitted_at:
        title = which + _("Sent to %(gateway)s") % {"gateway": gateways.label(attempt.gateway)}
        events.append({"at": attempt.submitted_at, "title": title, "icon": "send", **number})
    if attempt.finished_at:
        words = {
            Attempt.SUCCEEDED: (_("Payment confirmed"), "circle-check", "good"),
            Attempt.FAILED: (_("Payment failed"), "circle-x", "bad"),
            Attempt.CLOSED: (_("Closed unpaid"), "circle-minus", "plain"),
        }
        title, icon, tone = words[Attempt(attempt.state)]
        events.append(
            {"at": attempt.finished_at, "title": which + title, "icon": icon, "tone": tone}
        )
    elif attempt.state == Attempt.UNKNOWN:
        title = which + _("No clear answer yet; we keep asking")
        events.append({"at": None, "title": title, "icon": "help-circle", "tone": "warn"})
    return events
