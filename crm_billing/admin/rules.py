"""
Admin pages of rules that never change: each version to read, and a new one to publish after a look.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from crm_billing.admin.base import Button, ReadOnlyAdmin


class RulesAdmin(ReadOnlyAdmin):
    """
    Show versions of rules; offer a new one, from scratch or like one there is.

    Subclasses say who may publish (`permission`), what asks them for a proof of who they are
    (`guard`), and answer with the form (`look`).
    """

    actions_list = ["publish"]
    permission: ClassVar[str]

    @staticmethod
    @abstractmethod
    def guard(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """
        Let a view through only with a proof of who asks.
        """

    @abstractmethod
    def look(self, request: Any) -> HttpResponse:
        """
        Take the rules, show what they change, and publish what was shown.
        """

    def buttons(self, request: HttpRequest, row: Model) -> list[Button]:
        if not self.has_publish_permission(request):
            return []
        publish = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_publish")
        return [
            Button(label=_("New version like this"), url=f"{publish}?like={row.pk}", icon="copy")
        ]

    def has_publish_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(self.permission)

    def liked(self, request: HttpRequest) -> Any:
        """
        Return the version a new one is to begin like, as the address says; None for no such.
        """
        like = request.GET.get("like", "")
        known = like.isdecimal() and len(like) < 19  # digits of a key
        return self.model._default_manager.filter(pk=int(like) if known else 0).first()

    @action(
        description=gettext_lazy("Publish new rules"),
        url_path="publish",
        icon="add",
        permissions=["publish"],
    )
    def publish(self, request: HttpRequest) -> HttpResponse:
        return self.guard(self.look)(request)
