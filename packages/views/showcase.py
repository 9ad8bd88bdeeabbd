"""
What is on sale: all of it to compare, and one package with its terms and a calculator.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from djmoney.money import Money

from accounts.http import PortalRequest, customer_required
from packages import agreements, beginnings, queries, quotes, wording
from packages.beginnings import UseCounted
from packages.forms import CalculatorForm
from packages.models import Package, PriceVersion, Subscription
from packages.queries import Offered
from packages.terms import FEATURE, FIXED, NO_TERM, RECURRING, Component, Terms
from wallet.queries import balance

Cell = tuple[str, bool]  # what stands in it; whether the package has it at all


@dataclass(slots=True)
class Card:
    """
    A package as a column of the table, or a card. facts: what it gives, by the rows of the table.
    """

    offered: Offered
    terms: Terms
    saving: int = 0
    is_own: bool = False
    is_held: bool = False
    has_trial: bool = False
    facts: list[tuple[str, Cell]] = field(default_factory=list)

    @property
    def package(self) -> Package:
        return self.offered.package

    @property
    def url(self) -> str:
        address = reverse("packages:package", args=[self.package.code])
        return (
            address if self.terms.interval == NO_TERM else f"{address}?term={self.terms.interval}"
        )

    @property
    def price(self) -> str:
        return wording.per_term(self.terms.fixed, self.terms.interval)

    @property
    def is_free(self) -> bool:
        return not self.terms.fixed.amount

    @property
    def per_month(self) -> str:
        """
        Return what a month of a longer term comes to.
        """
        if self.terms.months < 2 or self.is_free:
            return ""
        month = quotes.price(self.terms, seats=0).per_month
        return wording.per_term(month, "month")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """
    Why something cannot be bought. url, label: the way on, where there is one.
    """

    text: str
    url: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    What the button under the calculator buys. due: what it takes from the wallet at once.
    """

    code: str
    term: str
    seats: int
    has_trial: bool
    due: Money


@require_safe
@customer_required
def package_list(request: PortalRequest) -> HttpResponse:
    """
    Compare what a customer can buy, by term.
    """
    offered = queries.offers(request.customer, at=timezone.now())
    plans = [one for one in offered if one.package.kind == Package.Kind.PLAN]
    lengths = [code for code in wording.TERM if any(code in one.prices for one in plans)]
    term = request.GET.get("term", "")
    term = term if term in lengths else next(iter(lengths), "month")
    held, had = queries.held_packages(request.customer), _had(request)
    cards = [_card(one, term, held, had) for one in plans]
    rows = _rows(cards)
    for place, card in enumerate(cards):
        card.facts = [(label, cells[place]) for label, cells in rows if cells[place][1]]
    add_ons = [
        _card(one, term, held, had) for one in offered if one.package.kind == Package.Kind.ADD_ON
    ]
    for card in add_ons:
        parts = [one for one in card.terms.components if one.kind != RECURRING]
        card.facts = [(one.called, _cell(one, card.terms)) for one in parts]
    context = {
        "lengths": [_length(code, plans, current=term) for code in lengths],
        "cards": cards,
        "rows": rows,
        "add_ons": add_ons,
        "top_ups": [
            _card(one, NO_TERM) for one in offered if one.package.kind == Package.Kind.TOP_UP
        ],
    }
    return render(request, "packages/package_list.html", context)


@require_safe
@customer_required
def package_detail(request: PortalRequest, code: str) -> HttpResponse:
    """
    Show one package: what it gives, how it is charged, what it comes to.

    The calculator's fields live in the address; htmx fetches this page and takes parts of it.
    """
    offered = offered_or_404(request, code, at=timezone.now())
    if offered.package.kind == Package.Kind.TOP_UP:
        return redirect("packages:top-up", code)
    form = CalculatorForm(request.GET, offered=offered, wish="month")
    card = _card(offered, form.terms.interval, had=_had(request))
    quote = form.quote()
    available = balance(request.customer, request.customer.currency).available
    order = _order(form, quote, has_trial=card.has_trial)
    missing = order.due - available if order and order.due > available else None
    context = {
        "card": card,
        "form": form,
        "quote": quote,
        "lines": lines(quote) if quote else [],
        "parts": [_part(one, card.terms) for one in card.terms.components],
        "rules": agreements.charging(
            card.terms, zone=request.customer.time_zone, has_trial=card.has_trial
        ),
        "available": available,
        "missing": missing,
        "obstacle": _obstacle(request, form.version),
        "order": order,
    }
    return render(request, "packages/package_detail.html", context)


def _order(form: CalculatorForm, quote: quotes.Quote | None, *, has_trial: bool) -> Order | None:
    """
    Return what the button under the calculator buys, None while nothing can be worked out.
    """
    if quote is None:
        return None
    return Order(
        code=form.version.package.code,
        term=quote.terms.interval,
        seats=max(form.cleaned_data.get("seats") or 1, 1),
        has_trial=has_trial,
        due=quote.at_start * 0 if has_trial else quote.at_start,
    )


def _obstacle(request: PortalRequest, version: PriceVersion) -> Obstacle | None:
    """
    Return why the reader cannot buy a price now, and where to go instead.
    """
    held = held_already(request, version)
    if held is not None:
        return held
    if not request.customer.is_active:
        return Obstacle(_("No money moves while the customer is frozen. Please contact us."))
    if not request.member.may_top_up:
        return Obstacle(_("Owners and finance people can subscribe. Ask one of them."))
    return None


def held_already(request: PortalRequest, version: PriceVersion) -> Obstacle | None:
    """
    Return which subscription is in the way of another one, and the way to it, or to changing it.
    """
    refusal = beginnings.in_the_way(request.customer, version)
    if refusal is None:
        return None
    number = [refusal.data["number"]]
    if isinstance(refusal, UseCounted) and request.member.may_top_up:
        change = reverse("packages:change", args=number)
        return Obstacle(str(refusal), change, _("Change the subscription"))
    show = reverse("packages:subscription", args=number)
    return Obstacle(str(refusal), show, _("Show the subscription"))


def offered_or_404(request: PortalRequest, code: str, *, at: datetime) -> Offered:
    """
    Return a package that is offered to the customer; any other is as if it were not there.
    """
    offered = queries.offer(request.customer, code, at=at)
    if offered is None:
        raise Http404
    return offered


def _card(
    offered: Offered, term: str, held: Collection[int] = (), had: Collection[int] = ()
) -> Card:
    version = offered.price(term)
    monthly = offered.prices.get("month")
    terms = version.terms
    return Card(
        offered=offered,
        terms=terms,
        saving=quotes.saving(terms, monthly.terms) if monthly else 0,
        is_own=version.customer_id is not None,
        is_held=offered.package.pk in held,
        has_trial=bool(terms.trial_days) and offered.package.pk not in had,
    )


def _had(request: PortalRequest) -> set[int]:
    return Subscription.objects.filter(customer=request.customer).packages_had()


def _rows(cards: list[Card]) -> list[tuple[str, list[Cell]]]:
    """
    Return what the plans give side by side: one row for each component any of them has.
    """
    labels: dict[str, str] = {}
    for card in cards:
        for one in card.terms.components:
            if one.kind != RECURRING:
                labels.setdefault(one.code, one.called)
    rows = []
    for code, label in labels.items():
        have = [{one.code: one for one in card.terms.components}.get(code) for card in cards]
        cells = [_cell(one, card.terms) for one, card in zip(have, cards, strict=True)]
        rows.append((label, cells))
    if any(card.has_trial for card in cards):
        rows.append((_("Trial"), [_trial(card) for card in cards]))
    return rows


def _cell(one: Component | None, terms: Terms) -> Cell:
    return ("", False) if one is None else (wording.summed_up(one, terms), True)


def _trial(card: Card) -> Cell:
    if not card.has_trial:
        return "", False
    days = card.terms.trial_days
    return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}, True


def _length(code: str, plans: list[Offered], *, current: str) -> dict[str, object]:
    """
    Return one term of the switch, with the most that any plan saves by it.
    """
    savings = [
        quotes.saving(one.prices[code].terms, one.prices["month"].terms)
        for one in plans
        if code in one.prices and "month" in one.prices
    ]
    return {
        "url": f"{reverse('packages:package-list')}?term={code}",
        "label": wording.TERM[code],
        "saving": max(savings, default=0),
        "current": code == current,
    }


def lines(quote: quotes.Quote, *, with_use: bool = True) -> list[dict[str, object]]:
    """
    Return the lines of a quote as the calculator shows them, with what explains each.

    with_use: also those of use, which is not known before.
    """
    return [
        {
            "label": line.component.called,
            "amount": line.amount,
            "steps": _steps(line),
            "included": wording.number(min(line.quantity, line.component.included))
            if line.component.included
            else "",
            "unit": line.component.counted_in,
            "refused": wording.number(line.refused) if line.refused else "",
            "limit": wording.number(line.component.hard_limit or 0),
        }
        for line in quote.lines
        if (line.component.kind != FEATURE or line.amount.amount) and (with_use or not line.is_use)
    ]


def _steps(line: quotes.Line) -> list[str]:
    if line.component.kind in FIXED and line.discount is None:
        return []
    return [wording.explained(line, step) for step in line.steps]


def _part(one: Component, terms: Terms) -> dict[str, object]:
    """
    Return a component as the package's page shows it, with its tiers where it has several.
    """
    several = len(one.tiers) > 1
    return {
        "label": one.called,
        "text": wording.summed_up(one, terms),
        "ladder": wording.ladder(one) if several else "",
        "beyond": wording.beyond(one) if several else "",
        "tiers": wording.tiers(one, terms.currency) if several else [],
        "flat": wording.has_flat_prices(one),
    }
