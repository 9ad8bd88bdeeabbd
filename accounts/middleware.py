"""
Which of their customers a person is looking at.
"""

from accounts.http import SESSION_KEY
from accounts.models import Member


def current_customer(get_response):
    """
    Set `request.member` and `request.customer` for signed-in people; None where there is none.

    The choice lives in the session and is checked against memberships on every request.
    """

    def middleware(request):
        request.member, request.customer, request.members = None, None, []
        if request.user.is_authenticated:
            request.members = list(
                Member.objects.filter(user=request.user)
                .select_related("customer")
                .order_by("customer__name", "pk")
            )
            chosen = request.session.get(SESSION_KEY)
            for member in request.members:
                member.user = request.user
            request.member = next(
                (m for m in request.members if m.customer_id == chosen),
                request.members[0] if request.members else None,
            )
            request.customer = request.member and request.member.customer
        return get_response(request)

    return middleware
