"""
Filters of lists between two days, both of them included, as the reader's clock has them.
"""

from datetime import date, datetime, time, timedelta

from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str


class DayRangeFilter(RangeDateFilter):
    """
    unfold's filter compares moments with midnight in UTC and so leaves the last day out.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        first, last = self._day("from"), self._day("to")
        moments = isinstance(self.field, DateTimeField)
        name = self.parameter_name
        if first:
            queryset = queryset.filter(**{f"{name}__gte": _midnight(first) if moments else first})
        if last and moments:
            queryset = queryset.filter(**{f"{name}__lt": _midnight(last + timedelta(days=1))})
        elif last:
            queryset = queryset.filter(**{f"{name}__lte": last})
        return queryset

    def misread(self) -> list[str]:
        """
        Return what stands in the address for a day and is none.
        """
        return [self._said(end) for end in ("from", "to") if self._said(end) and not self._day(end)]

    def _said(self, end: str) -> str:
        text = self.used_parameters.get(f"{self.parameter_name}_{end}")
        return text if isinstance(text, str) else ""

    def _day(self, end: str) -> date | None:
        text = self._said(end)
        day = parse_date_str(text) if text else None
        return day if day and 1900 < day.year < 9000 else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=timezone.get_current_timezone())
