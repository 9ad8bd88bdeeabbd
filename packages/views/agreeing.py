"""
How an agreement given in the portal is recorded and drawn.
"""

from dataclasses import dataclass

from allauth.account.adapter import get_adapter
from django.utils.translation import gettext as _

from accounts import consents
from accounts.consents import Circumstances
from accounts.http import PortalRequest


@dataclass(frozen=True, slots=True)
class Clause:
    """
    One line of an agreement. title: what it answers, where it answers something.
    """

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    What a form asks to agree to. digest: comes back with the form and tells what was read.
    """

    clauses: list[Clause]
    digest: str


def circumstances(request: PortalRequest, control: str) -> Circumstances:
    """
    Return from where and by which form somebody agrees.
    """
    return Circumstances(
        address=get_adapter().get_client_ip(request),
        user_agent=request.headers.get("User-Agent", ""),
        control=control,
        read=frozenset(request.POST.getlist("read")),
    )


def to_agree(text: str) -> Agreement:
    """
    Return an agreement as the form shows it that is sent by who agrees.
    """
    return Agreement(clauses(text), consents.digest(text))


def clauses(text: str) -> list[Clause]:
    """
    Return an agreement's text line by line, word for word; rules with their titles apart.
    """
    titles = {_("When"), _("How much"), _("How it is announced"), _("How to stop")}
    parts = ((line, *line.split(": ", 1)) for line in text.splitlines())
    return [
        Clause(part[1], part[2]) if len(part) > 2 and part[1] in titles else Clause("", part[0])
        for part in parts
    ]
