"""
The page where a payer pays, and where a tester chooses what goes wrong.

One self-contained HTML answer, no script; Chinese or English by `?lang=`, the merchant's wish or
the browser's Accept-Language.
"""

import secrets
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from wallet.gateways.fake import amounts
from wallet.gateways.fake.exchange import Answer, Request
from wallet.gateways.fake.scenarios import Scenarios
from wallet.gateways.fake.state import BEIJING, Bank, Fault, Order, Refused
from wallet.gateways.fake.texts import STYLE, TEXTS

CURRENCIES = ("CNY", "USD", "EUR", "JPY", "KWD")
SLOW_SECONDS = 4


class Cashier:
    def __init__(self, bank: Bank, scenarios: Scenarios, *, public_url: str, merchant: str) -> None:
        self.bank, self.scenarios = bank, scenarios
        self.public_url, self.merchant = public_url, merchant

    def url(self, order: Order) -> str:
        return f"{self.public_url}/cashier/{order.token}"

    def answer(self, request: Request) -> Answer:
        order = self.bank.order_of_token(request.path.removeprefix("/cashier/"))
        text = TEXTS[_language(request, order)]
        if order is None:
            return _page(text, f'<section class="card"><h1>{text["unknown"]}</h1></section>', 404)
        if request.method == "POST":
            try:
                return self._act(order, request.form)
            except (Refused, ValueError) as no:
                return self._show(order, text, problem=text.get(str(no), str(no)))
        return self._show(order, text)

    def _act(self, order: Order, form: dict[str, str]) -> Answer:
        """Do what a button says, then send the payer back to the merchant."""
        pay = self.scenarios.pay
        late = form.get("late") == "1"
        already = order.status == "PAID"
        match form.get("do"):
            case "leave":
                pass
            case _ if already:
                pass
            case "pay":
                self._refuse_expired(order, late)
                pay(order, late=late)
            case "fail":
                self.scenarios.fail(order)
            case "late":
                self.scenarios.pay_later(order)
            case "twice":
                pay(order, payments=2, late=late)
            case "amount":
                amount = amounts.minor(form.get("amount", ""), order.currency)
                if amount is None:
                    raise ValueError("bad_amount")
                pay(order, amount_minor=amount, late=late)
            case "currency":
                if form.get("currency") not in CURRENCIES:
                    raise ValueError("bad_currency")
                pay(order, currency=form["currency"], late=late)
            case "notify_thrice":
                pay(order, notify=3, late=late)
            case "notify_never":
                pay(order, notify=0, late=late)
            case "notify_lost":
                self.bank.set_fault(Fault("notify_lost", order.number, times=2))
                pay(order, late=late)
            case "query_5xx":
                self.bank.set_fault(Fault("query_5xx", order.number, times=3))
                pay(order, late=late, delay=20)
            case "slow":
                self.bank.set_fault(Fault("query_slow", order.number, times=3, seconds=5))
                pay(order, late=late, delay=8)
                self.scenarios.pause(SLOW_SECONDS)
            case _:
                raise ValueError("bad_choice")
        return Answer(
            status=303,
            headers={"Location": _return_url(order)},
            content_type="text/plain",
        )

    def _refuse_expired(self, order: Order, late: bool) -> None:
        if self.bank.expired(order) and not late:
            raise Refused("expired_now")

    def _show(self, order: Order, text: dict[str, str], *, problem: str = "") -> Answer:
        over = order.status in {"CLOSED", "FAILED"} or self.bank.expired(order)
        state = {"PAID": "paid", "CLOSED": "closed", "FAILED": "failed"}.get(order.status, "")
        state = state or ("expired" if over else "")
        body = [
            '<section class="card">',
            f'<p class="merchant">{escape(self.merchant)}</p>',
            f"<h1>{escape(amounts.shown(order.amount_minor, order.currency))}</h1>",
            f"<p>{escape(order.subject)}</p>",
            f'<p class="note" role="alert">{escape(problem)}</p>' if problem else "",
            f'<p class="note {state}" role="status">{text[state]}</p>' if state else "",
            "<dl>",
            f"<dt>{text['number']}</dt><dd>{escape(order.number)}</dd>",
            f"<dt>{text['merchant_id']}</dt><dd>{escape(order.merchant_id)}</dd>",
            f"<dt>{text['expires']}</dt><dd>{order.expires_at.astimezone(BEIJING):%Y-%m-%d %H:%M}"
            " (UTC+8)</dd>",
            "</dl>",
        ]
        if order.status == "PAID":
            body += [_button("leave", text["back"], "main"), "</section>"]
        else:
            body += [
                _button("pay", text["pay_late_now" if over else "pay"], "main", late=over),
                _button("leave", text["back"], "plain"),
                "</section>",
                self._troubles(order, text, over),
            ]
        return _page(text, "".join(body))

    def _troubles(self, order: Order, text: dict[str, str], over: bool) -> str:
        names = ["twice", "notify_thrice", "notify_never", "notify_lost", "query_5xx", "slow"]
        if not over:
            names = ["fail", "late", *names]
        half = amounts.major(max(1, order.amount_minor // 2), order.currency)
        others = "".join(f"<option>{one}</option>" for one in CURRENCIES if one != order.currency)
        extra = {
            "amount": f'<input name="amount" inputmode="decimal" value="{half}" required'
            f' aria-label="{text["amount"]}">',
            "currency": f'<select name="currency" aria-label="{text["currency"]}">'
            f"{others}</select>",
        }
        buttons = [_button(name, text[name], "trouble", late=over) for name in names]
        buttons += [
            _button(name, text[name], "trouble", late=over, extra=field)
            for name, field in extra.items()
        ]
        return (
            f'<section class="card"><h2>{text["troubles"]}</h2><p>{text["troubles_lead"]}</p>'
            f'<div class="grid">{"".join(buttons)}</div></section>'
        )


def _button(name: str, label: str, kind: str, *, late: bool = False, extra: str = "") -> str:
    hidden = '<input type="hidden" name="late" value="1">' if late else ""
    return (
        f'<form method="post" class="{kind}">{hidden}{extra}'
        f'<button name="do" value="{name}">{label}</button></form>'
    )


def _return_url(order: Order) -> str:
    """The merchant's address with our number added, as gateways do; it proves nothing."""
    parts = urlsplit(order.return_url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("number", order.number)])
    return urlunsplit(parts._replace(query=query))


def _language(request: Request, order: Order | None) -> str:
    wishes = [request.query.get("lang", ""), order.locale if order else ""]
    wishes += request.headers.get("accept-language", "").split(",")
    for wish in wishes:
        for language in TEXTS:
            if wish.strip().lower().startswith(language):
                return language
    return "en"


def _page(text: dict[str, str], body: str, status: int = 200) -> Answer:
    nonce = secrets.token_urlsafe(12)
    html = (
        f'<!doctype html><html lang="{text["lang"]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{text["title"]}</title>'
        f'<link rel="icon" href="data:,"><style nonce="{nonce}">{STYLE}</style></head><body>'
        f"<header><strong>{text['title']}</strong><span>{text['play_money']}</span>"
        f'<nav><a href="?lang=zh" lang="zh">中文</a> <a href="?lang=en" lang="en">English</a></nav>'
        f"</header><main>{body}</main></body></html>"
    )
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; base-uri 'none'"
    return Answer(
        status=status,
        body=html.encode(),
        content_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )
