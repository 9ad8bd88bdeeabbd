from typing import ClassVar

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.history import tracked
from crm_billing.plain_text import PlainText


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str) -> "User":
        return self.get(email__iexact=email)


@tracked(verbose_name=_("user change"), exclude=["password", "last_login"])
class User(PlainText, AbstractBaseUser, PermissionsMixin):
    """
    Somebody who signs in, by e-mail: a customer's person or one of the staff.
    """

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    locale = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        choices=[("zh-hans", _("Simplified Chinese")), ("en", _("English"))],
        help_text=_("Empty: as the browser asks."),
    )
    is_staff = models.BooleanField(_("staff"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_once_in_any_case"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)


@pghistory.track(
    pghistory.InsertEvent("role_given"),
    pghistory.DeleteEvent("role_taken"),
    append_only=True,
    obj_field=None,
    meta={"verbose_name": _("role change"), "verbose_name_plural": _("role changes")},
)
class UserRole(User.groups.through):  # type: ignore[name-defined]
    """
    A staff role given to a person; here so that giving and taking leave a trace.
    """

    class Meta:
        proxy = True
