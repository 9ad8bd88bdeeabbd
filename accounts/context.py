def customers(request) -> dict:
    """
    Give templates the current customer and the ones a switcher may offer.
    """
    return {
        "customer": getattr(request, "customer", None),
        "member": getattr(request, "member", None),
        "members": getattr(request, "members", []),
    }
