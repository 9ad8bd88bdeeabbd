"""
The fake gateway: a small process that plays payment providers over real HTTP with real signatures.

    python -m wallet.gateways.fake --port 8100 --merchant-public-key FILE --private-key FILE

An instrument for tests and demos; it is off in production. Its state is in memory, Django is never
imported. What all providers share is here; what differs is one file in `wires/`.

    state      orders, payments, refunds, and the faults somebody asked for
    scenarios  pay, fail, pay twice, pay late…: what a payer or a test can make happen
    cashier    the page a payer sees
    control    the same scenarios for tests, as JSON
    notifier   deliveries to the merchant, with retries
    wires      how one provider writes and signs all this
"""
