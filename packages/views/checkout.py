"""
From a price to a subscription: a quote to look at, agree to, and pay; with a top-up if need be.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh
from djmoney.money import Money

from accounts.http import PortalRequest, customer_required, may_top_up
from accounts.models import User
from crm_billing.errors import DomainError
from crm_billing.transactions import snapshot
from packages import beginnings, checkout, coupon_words, wording
from packages.beginnings import AlreadySubscribed
from packages.forms import AgreementForm, CouponForm, OrderForm
from packages.models import Package, PriceQuote
from packages.redemptions import CouponRefused
from packages.views import picked
from packages.views.agreeing import Agreement, circumstances, to_agree
from packages.views.paying import Paying
from packages.views.paying import paying as paying_for
from packages.views.showcase import Obstacle, held_already, lines, offered_or_404
from wallet.ledger import InsufficientFunds
from wallet.queries import balance
from wallet.views.topups import go_and_pay

CONTROL = "portal:quote"
# Seconds until a waiting page asks again, by how often it has asked.
PAUSES = (2, 2, 2, 3, 3, 5, 5, 8, 8, 15, 15, 30)


@dataclass(slots=True)
class Look:
    """
    A quote as it stands now. state: OPEN, WAITING for its top-up, COMING since that is paid,
    HELD (another subscription is in the way) or OLD. stopped_for: who agreed and may not spend now.
    coupon_refusal: why its coupon cannot be used any more; it is not bought then.
    """

    quote: PriceQuote
    begun: beginnings.First
    available: Money
    missing: Money
    held: Obstacle | None
    at: datetime
    stopped_for: User | None
    coupon_refusal: str = ""

    @property
    def state(self) -> str:
        topup = self.quote.topup
        if self.held:
            return "HELD"
        if not self.holds:
            return "OLD"
        if (
            self.stopped_for is None
            and topup is not None
            and topup.is_open
            and (topup.expires_at > self.at and self.missing)
        ):
            return "WAITING"
        goes_on = self.stopped_for is None and not self.coupon_refusal
        if goes_on and topup is not None and topup.paid_at and not self.missing:
            return "COMING"
        return "OPEN"

    @property
    def holds(self) -> bool:
        shown = (self.quote.due, self.quote.has_trial)
        return self.quote.expires_at > self.at and shown == (self.begun.due, self.begun.has_trial)

    @property
    def waits(self) -> bool:
        return self.state in ("WAITING", "COMING")

    @property
    def after(self) -> Money:
        return self.available - self.quote.due

    @property
    def next_day(self) -> str:
        return wording.shown_day(self.begun.ends_at, self.begun.zone)

    @property
    def last_day(self) -> str:
        return wording.last_day(self.begun.ends_at, self.begun.zone)

    @property
    def each_term(self) -> str:
        return wording.per_term(self.quote.each_term, self.begun.terms.interval)

    @property
    def next_amount(self) -> Money:
        """
        Return what is taken next, what is paid once included where a trial comes first.
        """
        return self.begun.quote.at_start if self.begun.has_trial else self.quote.each_term

    @property
    def coupon_told(self) -> str:
        """
        Say what the coupon takes off and for how long; nothing without one.
        """
        coupon = self.begun.coupon
        return "" if coupon is None else coupon_words.summed_up(coupon)

    @property
    def full_price(self) -> str:
        """
        Say what a term costs when the coupon is over; nothing where the next one is not with it.
        """
        course = self.begun.course
        if course is None or not course.left:
            return ""
        return wording.per_term(course.full, self.begun.terms.interval)

    @property
    def package(self) -> Package:
        return self.quote.price_version.package

    @property
    def package_url(self) -> str:
        asked: dict[str, object] = {"term": self.begun.terms.interval}
        if self.quote.seats > 1:
            asked["seats"] = self.quote.seats
        return f"{reverse('packages:package', args=[self.package.code])}?{urlencode(asked)}"

    @property
    def agreements(self) -> list[tuple[str, Agreement]]:
        """
        Return what is agreed to, without renewals and with them.
        """
        return [
            (
                "renews" if auto_renew else "ends",
                to_agree(
                    beginnings.agreement(
                        self.quote.price_version, self.begun, auto_renew=auto_renew
                    )
                ),
            )
            for auto_renew in (False, True)
        ]


@may_top_up
@require_POST
def subscribe(request: PortalRequest, code: str) -> HttpResponse:
    """
    Quote what was chosen in the calculator, and show the quote.
    """
    at = timezone.now()
    offered = offered_or_404(request, code, at=at)
    if offered.package.kind == Package.Kind.TOP_UP:
        raise Http404
    form = OrderForm(request.POST, offered=offered)
    back = reverse("packages:package", args=[code])
    if not form.is_valid():
        for errors in form.errors.values():
            messages.warning(request, str(errors[0]))
        return redirect(back)
    term = form.cleaned_data["term"]
    try:
        quote = checkout.quote(
            customer=request.customer,
            price_version=offered.prices[term],
            seats=form.seats,
            at=at,
            by=request.user,
        )
    except AlreadySubscribed as refusal:
        return _to_known(request, refusal)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
        return redirect(f"{back}?{urlencode({'term': term})}")
    return redirect("packages:quote", quote.code)


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def quote_detail(request: PortalRequest, code: str) -> HttpResponse:
    """
    Show a quote with all it means; posted, agree to it and buy it, or top up first.
    """
    quote = visible_quote(request, code)
    posted = request.method == "POST"
    if posted and not request.member.may_top_up:
        raise PermissionDenied
    if quote.subscription is not None:
        return redirect("packages:subscription", quote.subscription.number)
    form = AgreementForm(request.POST if posted else None, initial=_wish(request, quote))
    typed = request.POST.get("code", "").strip()
    if typed and quote.coupon is None:
        return quote_page(request, code, form, coupon_form=_not_applied(typed))
    if posted and form.is_valid():
        if "top_up" in request.POST:
            return _top_up(request, quote, form)
        return _accept(request, quote, form)
    return quote_page(request, code, form)


@customer_required
@require_safe
def quote_live(request: PortalRequest, code: str) -> HttpResponse:
    """
    Tell a page that waits for money when to look again, and where to go on (htmx).
    """
    look = _look(request, code)
    if look.quote.subscription is not None:
        return HttpResponseClientRedirect(
            reverse("packages:subscription", args=[look.quote.subscription.number])
        )
    if request.GET.get("state") != look.state:
        return HttpResponseClientRefresh()
    looks = request.GET.get("n", "0")
    count = int(looks) + 1 if looks.isascii() and looks.isdecimal() and len(looks) < 6 else 0
    return render(request, "packages/_quote_poll.html", _poll(look, count))


def _accept(request: PortalRequest, quote: PriceQuote, form: AgreementForm) -> HttpResponse:
    try:
        subscription = checkout.accept(
            quote_id=quote.pk,
            auto_renew=form.cleaned_data["auto_renew"],
            at=timezone.now(),
            by=request.user,
            circumstances=circumstances(request, CONTROL),
        )
    except AlreadySubscribed as refusal:
        return _to_known(request, refusal)
    except InsufficientFunds:
        form.add_error(None, _("Your wallet does not hold enough any more. Nothing was taken."))
    except CouponRefused as refusal:
        return _without_coupon(request, quote, form, refusal)
    except DomainError as refusal:
        form.add_error(None, str(refusal))
    else:
        messages.success(request, _("You have subscribed."))
        return redirect("packages:subscription", subscription.number)
    return quote_page(request, quote.code, form)


def _without_coupon(
    request: PortalRequest, quote: PriceQuote, form: AgreementForm, refusal: CouponRefused
) -> HttpResponse:
    """
    Show the price without a coupon that cannot be used any more, and say why at its field.
    """
    entered = CouponForm({"code": quote.coupon and quote.coupon.code})
    if entered.is_valid():
        entered.add_error("code", str(refusal))
    try:
        plain = checkout.with_coupon(quote_id=quote.pk, code="", at=timezone.now(), by=request.user)
    except DomainError as other:
        form.add_error(None, str(other))
        plain = quote
    return quote_page(request, plain.code, form, coupon_form=entered)


def _top_up(request: PortalRequest, quote: PriceQuote, form: AgreementForm) -> HttpResponse:
    at = timezone.now()
    paying = paying_for(quote.customer, quote.due, at=at, sent=request.POST)
    if paying.form is not None and paying.form.is_valid():
        try:
            topup = checkout.top_up_first(
                quote_id=quote.pk,
                auto_renew=form.cleaned_data["auto_renew"],
                gateway=paying.form.cleaned_data["gateway"],
                request_key=paying.form.cleaned_data["request_key"],
                at=at,
                by=request.user,
                circumstances=circumstances(request, CONTROL),
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return go_and_pay(request, topup)
    return quote_page(request, quote.code, form, paying)


def quote_page(
    request: PortalRequest,
    code: str,
    form: AgreementForm | None = None,
    paying: Paying | None = None,
    coupon_form: CouponForm | None = None,
) -> HttpResponse:
    """
    Show a quote, with what was entered and what is wrong with it; or what has begun with it.
    """
    look = _look(request, code)
    quote = look.quote
    if quote.subscription is not None:
        return redirect("packages:subscription", quote.subscription.number)
    form = form or AgreementForm(initial=_wish(request, quote))
    coupon_form = coupon_form or CouponForm()
    context = {
        "look": look,
        "quote": quote,
        "form": form,
        "coupon_form": coupon_form,
        "lines": lines(look.begun.quote, with_use=False),
        **_poll(look, 0),
    }
    if look.missing and look.state == "OPEN" and not look.coupon_refusal:
        context["paying"] = paying or paying_for(
            quote.customer, quote.due, at=look.at, chosen=picked.gateway(request, quote.code)
        )
    refused = paying is not None and paying.form is not None and paying.form.errors
    status = 422 if form.errors or coupon_form.errors or refused else 200
    return render(request, "packages/quote.html", context, status=status)


def _wish(request: PortalRequest, quote: PriceQuote) -> dict[str, bool]:
    known = picked.read(request, quote.code)
    return {"auto_renew": quote.auto_renew or known.get("auto_renew") == "on"}


def _not_applied(typed: str) -> CouponForm:
    """
    Return the coupon's field with what was typed but not applied: nobody pays more by that.
    """
    form = CouponForm({"code": typed})
    if form.is_valid():
        form.add_error("code", _("This coupon is not applied yet. Apply it, or empty the field."))
    return form


def _look(request: PortalRequest, code: str) -> Look:
    """
    Read a quote, its top-up and the wallet at one moment: what begins between two reads would
    else look as if it had come another way, and nobody would go on to it.
    """
    at = timezone.now()
    with snapshot():
        quote = visible_quote(request, code)
        return Look(
            quote=quote,
            begun=checkout.begun(quote, at=at),
            available=balance(quote.customer, quote.currency).available,
            missing=checkout.missing(quote),
            held=held_already(request, quote.price_version),
            at=at,
            stopped_for=checkout.stopped_for(quote),
            coupon_refusal="" if quote.subscription_id else checkout.coupon_refusal(quote),
        )


def _poll(look: Look, looks: int) -> dict[str, object]:
    """
    Return what _quote_poll.html needs: when to ask again, None for never.
    """
    wait = PAUSES[min(looks, len(PAUSES) - 1)] if look.waits else None
    return {"quote": look.quote, "state": look.state, "wait": wait, "looks": looks}


def visible_quote(request: PortalRequest, code: str) -> PriceQuote:
    """
    Return a quote of the customer one acts for; any other is as if it were not there.
    """
    mine = PriceQuote.objects.visible_to(request.user).filter(customer=request.customer)
    related = mine.select_related(
        "customer", "price_version__package", "subscription", "topup", "coupon", "consent__given_by"
    )
    return get_object_or_404(related, code=code)


def _to_known(request: PortalRequest, refusal: AlreadySubscribed) -> HttpResponse:
    messages.info(request, str(refusal))
    return redirect("packages:subscription", refusal.data["number"])
