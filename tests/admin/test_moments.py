"""
Moments that staff choose: by the clock of the page, and none where calendars end.
"""

from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from crm_billing.admin import MomentField

LAST = "2199-12-31T23:59"


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Asia/Shanghai", "Etc/GMT+12"])
def test_the_last_can_be_shown_by_every_clock(zone):
    with timezone.override(zone):
        last = MomentField().clean(LAST)
    assert last.tzinfo == ZoneInfo(zone)
    assert {timezone.localtime(last, ZoneInfo(one)).year for one in ("UTC", zone)} <= {2199, 2200}


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Shanghai"])
@pytest.mark.parametrize("moment", ["2200-01-01T00:00", "9999-12-31T23:59"])
def test_what_no_other_clock_may_know_is_refused(zone, moment):
    with timezone.override(zone), pytest.raises(ValidationError, match="2199"):
        MomentField().clean(moment)


def test_none_is_none_where_it_may_be():
    assert MomentField(required=False).clean("") is None
