"""
Whether one price is anywhere dearer than another, whatever is used. Pure.
"""

from decimal import Decimal

from djmoney.money import Money

from packages.rating import GRADUATED, PER_UNIT
from packages.terms import FEATURE, FIXED, PERCENTAGE, Component, Terms, Tier


def is_no_worse(after: Terms, before: Terms) -> bool:
    """
    Tell whether `after` costs at most what `before` does for any seats and any use, and delivers at
    least as much. What cannot be told from the terms alone counts as worse.
    """
    if (after.currency, after.interval) != (before.currency, before.interval):
        return False
    new = {one.code: one for one in after.components}
    old = {one.code: one for one in before.components}
    return all(
        code in new and _component_is_no_worse(new[code], was) for code, was in old.items()
    ) and all(_is_free(one) for code, one in new.items() if code not in old)


def _component_is_no_worse(new: Component, old: Component) -> bool:
    if new.kind != old.kind:
        return False
    if new.kind in FIXED:
        return _at_most(new.amount, old.amount)
    if new.kind == PERCENTAGE:
        return (
            (new.bps or 0) <= (old.bps or 0)
            and _at_most(new.least, old.least)
            and _at_most(new.period_least, old.period_least)
            and _caps_as_well(new.most, old.most)
            and _caps_as_well(new.period_most, old.period_most)
        )
    return (
        (new.model, new.package_size, new.unit) == (old.model, old.package_size, old.unit)
        and _includes_as_much(new, old)
        and new.hard_limit == old.hard_limit
        and _tiers_no_dearer(new.tiers, old.tiers)
        and _pack_no_worse(new, old)
    )


def _is_free(added: Component) -> bool:
    return added.kind == FEATURE and not (added.amount and added.amount.amount)


def _at_most(new: Money | None, old: Money | None) -> bool:
    return new is None or not new.amount or (old is not None and new <= old)


def _caps_as_well(new: Money | None, old: Money | None) -> bool:
    """
    Compare what a fee is at most; None is without end.
    """
    return old is None or (new is not None and new <= old)


def _includes_as_much(new: Component, old: Component) -> bool:
    """
    Compare what is included. By volume, fewer units to pay can cost more: only the same will do.
    """
    if new.model in (PER_UNIT, GRADUATED):
        return new.included >= old.included
    return new.included == old.included


def _tiers_no_dearer(new: tuple[Tier, ...], old: tuple[Tier, ...]) -> bool:
    if [one["up_to"] for one in new] != [one["up_to"] for one in old]:
        return False
    return all(
        Decimal(cheap.get(price) or 0) <= Decimal(dear.get(price) or 0)
        for cheap, dear in zip(new, old, strict=True)
        for price in ("unit_price", "flat_price")
    )


def _pack_no_worse(new: Component, old: Component) -> bool:
    if old.pack_price is None:
        return True
    return (
        new.pack_price is not None
        and new.pack_price <= old.pack_price
        and (new.pack_units or 0) >= (old.pack_units or 0)
    )
