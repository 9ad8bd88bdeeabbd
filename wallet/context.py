from wallet import queries


def wallet_balance(request) -> dict:
    """
    Give every portal page the current customer's balance, read once and only when drawn.
    """
    customer = getattr(request, "customer", None)
    if customer is None:
        return {}
    return {"balance": queries.LazyBalance(customer)}
