"""
What every portal view may rely on in its request.
"""

from collections.abc import Callable
from functools import wraps

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django_htmx.middleware import HtmxDetails
from rest_framework.request import Request

from accounts.models import Customer, Member, User

SESSION_KEY = "customer_id"

View = Callable[..., HttpResponseBase]


class ApiRequest(Request):
    """
    The request an API view receives: a key has spoken for its customer.
    """

    customer: Customer


class StaffRequest(HttpRequest):
    """
    The request an admin view receives: one of the staff is signed in.
    """

    user: User


class PortalRequest(HttpRequest):
    """
    The request a signed-in portal view receives.
    """

    user: User
    member: Member
    customer: Customer
    members: list[Member]
    htmx: HtmxDetails
    request_id: str


def customer_required(view: View) -> View:
    """
    Let the view run with `request.customer` set; send people of no customer to the welcome page.
    """

    @wraps(view)
    def checked(request, *args, **kwargs):
        if request.customer is None:
            return redirect("accounts:welcome")
        return view(request, *args, **kwargs)

    return checked


def may_top_up(view: View) -> View:
    """
    Refuse viewers: only owners and finance people start payments.
    """

    @customer_required
    @wraps(view)
    def checked(request, *args, **kwargs):
        if not request.member.may_top_up:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked


def owner_required(view: View) -> View:
    """
    Refuse everybody but owners of the current customer.
    """

    @customer_required
    @wraps(view)
    def checked(request, *args, **kwargs):
        if not request.member.may_manage:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked
