"""
Commands on meters: what is counted, and how many events make one quantity.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.customers import NotAllowed
from accounts.models import User
from crm_billing.errors import DomainError
from packages.models import Meter
from packages.terms import PERCENTAGE, USED, Terms

MANAGE = "packages.publish_package"


class MeterExists(DomainError):
    code = "meter_exists"


class MeterRetired(DomainError):
    code = "meter_retired"


class NotCounted(DomainError):
    """
    A price charges for use that no meter counts: it would charge nothing, and nobody would know.
    """

    code = "use_not_counted"


@transaction.atomic
def add(
    *,
    code: str,
    name: str,
    name_en: str,
    aggregation: str,
    at: datetime,
    by: User | None,
    unit: str = "",
    unit_en: str = "",
    carries_value: bool = False,
) -> Meter:
    """
    Begin to count something. What a meter is never changes afterwards.

    code: as components of prices name it. aggregation: a Meter.Aggregation.
    carries_value: each event is a transaction of so much money.
    by: staff with `packages.publish_package`, None for the house itself.
    raises NotAllowed: as it says.
    raises MeterExists: there is one with this code, perhaps retired.
    raises ValidationError: the code, a name or the aggregation is malformed.
    source: docs/adr/0013-usage.md
    """
    _require_right(by)
    meter = Meter(
        code=code,
        name=name,
        name_en=name_en,
        unit=unit,
        unit_en=unit_en,
        aggregation=aggregation,
        carries_value=carries_value,
        created_at=at,
        created_by=by,
    )
    if Meter.objects.filter(code=code).exists():
        raise MeterExists(_("There is a meter with this code."), field="code", code=code)
    meter.full_clean()
    meter.save()
    return meter


@transaction.atomic
def retire(*, meter_id: int, at: datetime, by: User | None) -> Meter:
    """
    Take no more events on a meter. What was counted stays.

    by: as `add` says.
    raises NotAllowed: as it says.
    raises MeterRetired: it was retired before.
    """
    _require_right(by)
    meter = Meter.objects.select_for_update(no_key=True).get(pk=meter_id)
    if meter.retired_at:
        raise MeterRetired(_("This meter was retired before."), code=meter.code)
    meter.retired_at, meter.retired_by = at, by
    meter.save(update_fields=["retired_at", "retired_by"])
    return meter


def require_counted(terms: Terms) -> None:
    """
    Refuse terms that charge for use which nothing counts.

    raises NotCounted: as `uncounted` says. `data["field"]` names the first component.
    """
    for code, said in uncounted(terms, of_use([terms])):
        raise NotCounted(said, field=code)


def of_use(prices: Iterable[Terms]) -> dict[str, Meter]:
    """
    Return the meters that the components of prices name, by their codes.
    """
    codes = {one.code for terms in prices for one in terms.of_kind(*USED)}
    return Meter.objects.in_bulk(codes, field_name="code")


def uncounted(terms: Terms, known: Mapping[str, Meter]) -> list[tuple[str, str]]:
    """
    Return the codes of components that charge for use which nothing counts, and why, in words: no
    meter of the code, one that takes no more events, or a share of values the meter does not carry.

    known: meters `of_use`.
    """
    found = []
    for one in terms.of_kind(*USED):
        meter = known.get(one.code)
        if meter is None:
            said = _(
                "No meter counts “%(code)s”, so nothing would be charged. Add the meter first."
            )
        elif meter.retired_at:
            said = _("The meter “%(code)s” takes no more events, so nothing would be charged.")
        elif one.kind == PERCENTAGE and not meter.carries_value:
            said = _("The meter “%(code)s” knows no values to take a share of.")
        else:
            continue
        found.append((one.code, said % {"code": one.code}))
    return found


def _require_right(by: User | None) -> None:
    if by is not None and not (by.is_active and by.is_staff and by.has_perm(MANAGE)):
        raise NotAllowed(_("You may not do this."), permission=MANAGE)
