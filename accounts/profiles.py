"""
Commands by which people change what we know about themselves.
"""

from datetime import datetime

from django.db import transaction

from accounts.models import User


@transaction.atomic
def change(
    *, user_id: int, at: datetime, name: str | None = None, locale: str | None = None
) -> User:
    """
    Change a person's name or language; None leaves it as it is.

    locale: "" lets the browser decide.
    raises ValidationError: a field is malformed.
    """
    user = User.objects.select_for_update(of=["self"]).get(pk=user_id)
    wanted = {"name": name and name.strip(), "locale": locale}
    changed = [
        field
        for field, value in wanted.items()
        if value is not None and getattr(user, field) != value
    ]
    for field in changed:
        setattr(user, field, wanted[field])
    user.full_clean(exclude={field.name for field in User._meta.fields} - set(changed))
    if changed:
        user.save(update_fields=changed)
    return user
