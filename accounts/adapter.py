"""
How allauth signs people up, in and out here: which redirects it follows, what its mails look like.
"""

import base64
import hashlib
import re
from types import SimpleNamespace
from urllib.parse import urlsplit, urlunsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_noop as _
from django.utils.translation import ngettext_lazy

from accounts.models import User
from crm_billing import plain_text

# allauth's and Django's words whose Chinese is not what people say; named here, they are in our
# catalogue, which goes before theirs
RENAMED = [
    _("Code"),
    _("Authenticator code"),
    _("Enter Email Verification Code"),
    _("Enter Sign-In Code"),
    _("Enter Password Reset Code"),
    _("You have confirmed %(email)s."),
    _("Incorrect code."),
    _("Email Address"),
    _("Email Addresses"),
    _("Confirm Email Address"),
    _("Your old password was entered incorrectly. Please enter it again."),
    ngettext_lazy(
        "Your password must contain at least %(min_length)d character.",
        "Your password must contain at least %(min_length)d characters.",
        "min_length",
    ),
    _("Your password can’t be too similar to your other personal information."),
    _("Your password can’t be a commonly used password."),
    _("Your password can’t be entirely numeric."),
]


class AccountAdapter(DefaultAccountAdapter):
    """
    Sign-up is open to everybody; redirects stay on this host; mails come from our templates.
    """

    def is_safe_url(self, url: str) -> bool:
        request = allauth_context.request
        return url_has_allowed_host_and_scheme(
            url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )

    def clean_email(self, email: str) -> str:
        plain_text.require(email)
        return super().clean_email(email)

    def send_mail(self, template_prefix: str, email: str, context: dict) -> None:
        """
        Write in the reader's language; links lead to SITE_URL, whatever host the request named.
        """
        reader = User.objects.filter(email__iexact=email).first()
        language = (reader and reader.locale) or translation.get_language() or "zh-hans"
        links = {key: _on_our_site(value) for key, value in context.items() if key.endswith("_url")}
        site = SimpleNamespace(name=settings.BRAND_NAME, domain=urlsplit(settings.SITE_URL).netloc)
        with translation.override(language):
            super().send_mail(template_prefix, email, context | links | {"current_site": site})

    def render_mail(self, template_prefix, email, context, headers=None) -> EmailMessage:
        message = super().render_mail(template_prefix, email, context, headers)
        *paragraphs, _signature = re.split(r"\n\s*\n", message.body)
        message.attach_alternative(
            render_to_string(
                "accounts/emails/message.html",
                {
                    "language": translation.get_language(),
                    "subject": message.subject,
                    "paragraphs": paragraphs,
                    "code": context.get("code"),
                    **letterhead(),
                },
            ),
            "text/html",
        )
        return message


class MfaAdapter(DefaultMFAAdapter):
    """
    Second-factor secrets are kept encrypted, with a key made from SECRET_KEY.
    """

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def letterhead() -> dict[str, str]:
    """
    Return who writes: what `emails/base.html` needs besides the language.
    """
    return {
        "brand": settings.BRAND_NAME,
        "issuer": settings.ISSUER_NAME,
        "issuer_email": settings.ISSUER_EMAIL,
        "site_url": settings.SITE_URL,
    }


def _cipher() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet(
        Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"accounts.mfa:{key}".encode()).digest()))
        for key in keys
    )


def _on_our_site(url: str) -> str:
    site, asked = urlsplit(settings.SITE_URL), urlsplit(url)
    return urlunsplit((site.scheme, site.netloc, asked.path, asked.query, asked.fragment))
