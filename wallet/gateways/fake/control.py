"""
The scenarios for tests, as JSON, from this machine only.

    GET    /control/orders                            every order with its payments
    POST   /control/pay       {number, payments, amount_minor, currency, late, notify, delay}
    POST   /control/fail      {number, notify}
    POST   /control/late      {number}                pay once closed or expired
    POST   /control/notify    {number, copies}        send the news of its payments again
    POST   /control/callback  {number, payment}       write a signed callback, do not send it
    GET    /control/notifications[?number=]           every try and the merchant's answer
    POST   /control/refund    {number, succeeded}     finish a refund that is PROCESSING
    GET    /control/faults                            what is still to go wrong
    POST   /control/faults    {name, number, times, seconds}
    DELETE /control/faults
"""

import base64
import inspect
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from wallet.gateways.fake.exchange import Answer, Request
from wallet.gateways.fake.scenarios import Scenarios
from wallet.gateways.fake.state import FAULTS, Bank, Fault, Order, Refused

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


class Control:
    def __init__(self, bank: Bank, scenarios: Scenarios) -> None:
        self.bank, self.scenarios = bank, scenarios
        self._posts: dict[str, Callable[..., Any]] = {
            "pay": self._pay,
            "fail": self._fail,
            "late": self._late,
            "notify": self._notify,
            "callback": self._callback,
            "refund": self._refund,
            "faults": self._fault,
        }

    def answer(self, request: Request) -> Answer:
        if request.peer not in LOOPBACK:
            return _json({"code": "FORBIDDEN", "message": "Only from this machine."}, 403)
        try:
            return _json(self._route(request))
        except Refused as no:
            return _json({"code": no.code, "message": no.message}, no.status)
        except (ValueError, TypeError, LookupError) as error:
            return _json({"code": "BAD_REQUEST", "message": str(error)}, 400)

    def _route(self, request: Request) -> Any:
        name = request.path.removeprefix("/control/")
        match request.method, name:
            case "GET", "orders":
                return [_order(order) for order in self.bank.orders.values()]
            case "GET", "notifications":
                return self._notifications(request.query.get("number"))
            case "GET", "faults":
                return {
                    "known": sorted(FAULTS),
                    "set": [asdict(fault) for fault in self.bank.faults],
                }
            case "DELETE", "faults":
                self.bank.clear_faults()
                return {}
            case "POST", _ if name in self._posts:
                # A page of another origin cannot send this type without asking first.
                if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                    raise Refused("JSON_ONLY", "Send application/json.", 415)
                wishes = json.loads(request.body)
                inspect.signature(self._posts[name]).bind(**wishes)
                return self._posts[name](**wishes)
        raise Refused("NOT_FOUND", "No such address.", 404)

    def _named(self, number: str) -> Order:
        order = self.bank.orders.get(number)
        if order is None:
            raise Refused("ORDER_NOT_FOUND", "No such order.", 404)
        return order

    def _pay(self, number: str, **options: Any) -> Any:
        order = self._named(number)
        self.scenarios.pay(order, **options)
        return _order(order)

    def _fail(self, number: str, notify: int = 1) -> Any:
        order = self._named(number)
        self.scenarios.fail(order, notify=notify)
        return _order(order)

    def _late(self, number: str) -> Any:
        order = self._named(number)
        self.scenarios.pay_later(order)
        return _order(order)

    def _notify(self, number: str, copies: int = 1) -> Any:
        order = self._named(number)
        self.scenarios.notify(order, copies=copies)
        return _order(order)

    def _callback(self, number: str, payment: int = -1) -> Any:
        headers, body = self.scenarios.callback(self._named(number), payment=payment)
        return {"headers": headers, "body": base64.b64encode(body).decode()}

    def _refund(self, number: str, succeeded: bool = True) -> Any:
        for order in self.bank.orders.values():
            for refund in order.refunds:
                if refund.number == number:
                    self.bank.settle_refund(refund, succeeded=succeeded)
                    return _order(order)
        raise Refused("REFUND_NOT_FOUND", "No such refund.", 404)

    def _fault(self, **terms: Any) -> Any:
        fault = Fault(**terms)
        self.bank.set_fault(fault)
        return asdict(fault)

    def _notifications(self, number: str | None) -> Any:
        return [
            {
                "id": one.id,
                "number": one.order.number,
                "status": one.status,
                "external_id": one.payment.external_id if one.payment else "",
                "deliveries": [asdict(delivery) for delivery in one.deliveries],
            }
            for one in list(self.scenarios.notifier.notifications)
            if number in {None, one.order.number}
        ]


def _order(order: Order) -> dict[str, Any]:
    return asdict(order)


def _json(message: Any, status: int = 200) -> Answer:
    def written(value: Any) -> str:
        if isinstance(value, datetime):
            return value.isoformat()
        raise TypeError(f"{type(value).__name__} has no JSON form")

    body = json.dumps(message, default=written, ensure_ascii=False)
    return Answer(status=status, body=body.encode())
