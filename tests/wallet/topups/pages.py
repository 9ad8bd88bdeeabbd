"""
The pages of top-ups as a browser asks for them.
"""

import html

from django.urls import reverse

from wallet.models import TopUp

NEW = "/wallet/topups/new/"


CONFIRM = "/wallet/topups/new/confirm/"


LIST = "/wallet/topups/"


KEY = "abcdefghijklmnop2345"


def url(name: str, topup: TopUp) -> str:
    return reverse(f"wallet:topup-{name}", args=[topup.number])


def text(response) -> str:
    return html.unescape(response.content.decode())


def order(amount: str = "100.00", **more: str) -> dict[str, str]:
    return {"amount": amount, "gateway": "sandbox", "request_key": KEY} | more


def look(client, fields: dict[str, str]):
    """
    Enter an order and return the look before it is confirmed, or the form with its errors.
    """
    return client.post(NEW, fields, follow=True)


def confirm(client, fields: dict[str, str], **more):
    return client.post(CONFIRM, fields, **more)


def look_directly(client, fields: dict[str, str]):
    return client.get(CONFIRM, fields)
