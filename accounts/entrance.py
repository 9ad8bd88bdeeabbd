"""
What allauth's pages before the log-in do differently here.
"""

from allauth.account.adapter import get_adapter
from allauth.account.views import ConfirmEmailVerificationCodeView
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.forms import BaseForm
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse


class ConfirmAddressView(ConfirmEmailVerificationCodeView):
    """
    Ask for the code we mailed. Sending nothing is no try, and asking for another code too soon
    costs neither the page nor the code that is on its way.
    """

    def form_invalid(self, form: BaseForm) -> HttpResponseBase:
        if form.has_error("code", "required"):
            return self.render_to_response(self.get_context_data(form=form))
        return super().form_invalid(form)

    def form_valid(self, form: BaseForm) -> HttpResponse:
        mailed = self._process.code
        try:
            return super().form_valid(form)
        except ImmediateHttpResponse as refusal:
            if refusal.response.status_code != 429:
                raise
            self._process.state["code"] = mailed
            adapter = get_adapter()
            adapter.add_message(
                self.request, messages.ERROR, message=adapter.error_messages["rate_limited"]
            )
            page = self.passthrough_next_url(reverse("account_email_verification_sent"))
            return HttpResponseRedirect(page)


confirm_address = login_not_required(ConfirmAddressView.as_view())
