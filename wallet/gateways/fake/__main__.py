"""
Run the fake gateway until SIGTERM or Ctrl-C.
"""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from wallet.gateways.fake.notifier import RETRY_SECONDS
from wallet.gateways.fake.server import FakeGateway


def main() -> int:
    parser = argparse.ArgumentParser(prog="fake gateway", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--public-url", default="", help="how browsers reach it")
    parser.add_argument("--merchant-id", default="CRMPORTAL")
    parser.add_argument("--merchant-name", default="", help="shown on the cashier page")
    parser.add_argument("--merchant-public-key", type=Path, required=True, metavar="FILE")
    parser.add_argument("--private-key", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--retry-seconds",
        default=",".join(map(str, RETRY_SECONDS)),
        help="waits between the tries of a notification",
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    fake = FakeGateway(
        host=options.host,
        port=options.port,
        public_url=options.public_url,
        merchant_id=options.merchant_id,
        merchant=options.merchant_name,
        merchant_public_key=options.merchant_public_key.read_bytes(),
        private_key=options.private_key.read_bytes(),
        retry_seconds=tuple(float(one) for one in options.retry_seconds.split(",") if one),
    )
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    fake.start()
    print(f"fake gateway listening on {fake.url}", flush=True)
    asked_to_stop.wait()
    fake.stop()
    print("fake gateway stopped", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
