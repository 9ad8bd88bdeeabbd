"""
Who changed or removed what and when, read from the versions pghistory keeps.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Model, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import ApiKey, Customer, Invitation, Member, User
from accounts.models.users import UserRole

PAGE = 50

# what the history calls an event -> what happened to the row
HAPPENED = {"insert": "ADDED", "update": "CHANGED", "delete": "REMOVED"} | {
    "role_given": "ADDED",
    "role_taken": "REMOVED",
}
KEPT_BY_HISTORY = {"pgh_id", "pgh_created_at", "pgh_label", "pgh_obj", "pgh_context", "id"}


@dataclass(slots=True)
class Change:
    """
    One change of one row. fields: (name, before, after), in words; before is "" when it is new,
    after when it is removed.
    """

    at: datetime
    what: str
    subject: str
    happened: str
    who: User | None = None
    api_key: str = ""
    where: str = ""
    request_id: str = ""
    fields: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def verb(self) -> str:
        words = {"ADDED": _("added"), "CHANGED": _("changed"), "REMOVED": _("removed")}
        return words[self.happened]


def tables() -> dict[str, type[Model]]:
    """
    Return the histories there are, by the name of what they keep.
    """
    found = [model for model in apps.get_models() if getattr(model, "pgh_tracked_model", None)]
    return {model.pgh_tracked_model._meta.model_name: model for model in found}


def kind_label(model: type[Model]) -> str:
    """
    Name what a history keeps, in the reader's language.
    """
    return _("staff role") if model is UserRole else str(model._meta.verbose_name)


def of_customer(customer: Customer, *, limit: int = PAGE) -> list[Change]:
    """
    Return the latest changes of a customer and of who may act for it, newest first.
    """
    rows = [
        *_latest(tables()["customer"], Q(pgh_obj_id=customer.pk), limit),
        *(
            row
            for model in (Member, Invitation, ApiKey)
            for row in _latest(tables()[model._meta.model_name], Q(customer_id=customer.pk), limit)
        ),
    ]
    return _told(rows, limit)


def of_user(user: User, *, limit: int = PAGE) -> list[Change]:
    """
    Return the latest changes of a person and of their roles, newest first.
    """
    rows = [
        *_latest(tables()["user"], Q(pgh_obj_id=user.pk), limit),
        *_latest(tables()["userrole"], Q(user_id=user.pk), limit),
        *_latest(tables()["member"], Q(user_id=user.pk), limit),
    ]
    return _told(rows, limit)


def latest(
    *, before: datetime | None = None, kind: str = "", by: int | None = None, limit: int = PAGE
) -> list[Change]:
    """
    Return the latest changes of everything, newest first.

    before: only older ones. kind: one of `tables()`. by: only those this user made.
    """
    wanted = Q()
    if before is not None:
        wanted &= Q(pgh_created_at__lt=before)
    if by is not None:
        wanted &= Q(pgh_context__metadata__user=by)
    models = [model for name, model in tables().items() if kind in ("", name)]
    return _told([row for model in models for row in _latest(model, wanted, limit)], limit)


def _latest(model: type[Model], wanted: Q, limit: int) -> list[Any]:
    rows: QuerySet = model._default_manager.filter(wanted).select_related("pgh_context")
    if _has_object(model):
        earlier = model._default_manager.filter(
            pgh_obj_id=OuterRef("pgh_obj_id"), pgh_id__lt=OuterRef("pgh_id")
        ).order_by("-pgh_id")
        rows = rows.annotate(earlier_id=Subquery(earlier.values("pgh_id")[:1]))
    found = list(rows.order_by("-pgh_id")[:limit])
    ids = [row.earlier_id for row in found if getattr(row, "earlier_id", None)]
    before = model._default_manager.in_bulk(ids) if ids else {}
    for row in found:
        row.before = before.get(getattr(row, "earlier_id", None))
    return found


def _told(rows: list[Any], limit: int) -> list[Change]:
    rows.sort(key=lambda row: (row.pgh_created_at, row.pgh_id), reverse=True)
    shown = rows[:limit]
    people, others = _names(shown)
    return [_change(row, people, others) for row in shown]


def _change(row: Any, people: dict[int, User], others: dict[tuple[type, Any], str]) -> Change:
    facts = row.pgh_context.metadata if row.pgh_context else {}
    return Change(
        at=row.pgh_created_at,
        what=kind_label(row.pgh_tracked_model),
        subject=_subject(row, others),
        happened=HAPPENED[row.pgh_label],
        who=people.get(facts.get("user")),
        api_key=str(facts.get("api_key", "")),
        where=str(facts.get("url", "")),
        request_id=str(facts.get("request_id", "")),
        fields=_differences(row, others),
    )


def _differences(row: Any, others: dict) -> list[tuple[str, str, str]]:
    told = []
    older, newer = (row, None) if HAPPENED[row.pgh_label] == "REMOVED" else (row.before, row)
    for column in row._meta.fields:
        if column.name in KEPT_BY_HISTORY:
            continue
        before, after = (one and getattr(one, column.attname) for one in (older, newer))
        if before == after or (None in (older, newer) and not (before or after)):
            continue
        name = column.related_model._meta.verbose_name if column.is_relation else ""
        if not column.is_relation or column.verbose_name != column.name.replace("_", " "):
            name = column.verbose_name
        told.append((str(name), _word(column, before, others), _word(column, after, others)))
    return told


def _word(column: Any, value: Any, others: dict) -> str:
    if value is None or value == "":
        return ""
    if column.is_relation:
        return others.get((column.related_model, value), f"#{value}")
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(dict(column.flatchoices).get(value, value))


def _subject(row: Any, others: dict) -> str:
    for name in ("number", "email", "name"):
        if isinstance(value := getattr(row, name, ""), str) and value:
            return value
    for column in row._meta.fields:
        if column.name == "user":
            return others.get((column.related_model, row.user_id), f"#{row.user_id}")
    return f"#{row.id}"


def _names(rows: Iterable[Any]) -> tuple[dict[int, User], dict[tuple[type, Any], str]]:
    """
    Read the people behind the changes, and what the rows point at, one query per kind.
    """
    wanted: dict[type, set] = {User: set()}
    for row in rows:
        if row.pgh_context and row.pgh_context.metadata.get("user"):
            wanted[User].add(row.pgh_context.metadata["user"])
        for column in row._meta.fields:
            if column.is_relation and column.name not in KEPT_BY_HISTORY:
                for version in filter(None, (row, row.before)):
                    wanted.setdefault(column.related_model, set()).add(
                        getattr(version, column.attname)
                    )
    found = {
        model: model._default_manager.in_bulk([one for one in ids if one is not None])
        for model, ids in wanted.items()
    }
    others = {(model, pk): str(one) for model, ones in found.items() for pk, one in ones.items()}
    for model, ones in found.items():
        others |= _gone(model, wanted[model] - ones.keys() - {None})
    return found[User], others


def _gone(model: type[Model], ids: set[Any]) -> dict[tuple[type, Any], str]:
    """
    Return what rows that are no longer there were called, as far as the history knows.
    """
    history = tables().get(str(model._meta.model_name))
    if not ids or history is None or not _has_object(history):
        return {}
    last = history._default_manager.filter(pgh_obj_id__in=ids).order_by("pgh_id")
    return {(model, row.pgh_obj_id): _subject(row, {}) for row in last}


def _has_object(model: type[Model]) -> bool:
    return any(column.name == "pgh_obj" for column in model._meta.fields)
