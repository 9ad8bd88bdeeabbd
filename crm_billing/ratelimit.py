"""
How often one somebody may do one something, counted in the cache all web processes share.
"""

import ipaddress

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)


def exceeded(action: str, who: str, *, limit: int, seconds: int) -> bool:
    """
    Count one more attempt and say whether it is above `limit` within `seconds`.

    Fails closed: what cannot be counted is refused.

    who: an IP address or any other name; the hosts of one IPv6 network count as one.
    """
    key = f"ratelimit:{action}:{_somebody(who)}"
    try:
        if cache.add(key, 1, timeout=seconds):
            return False
        return cache.incr(key) > limit
    except ValueError:  # it ran out between the two
        return False
    except (RedisError, OSError) as error:
        log.error("ratelimit.uncounted", action=action, exc_info=error)
        return True


def forgive(action: str, who: str) -> None:
    """
    Take one counted attempt back: it was none of those that are limited.
    """
    key = f"ratelimit:{action}:{_somebody(who)}"
    try:
        cache.decr(key)
    except ValueError:  # it has run out
        return
    except (RedisError, OSError) as error:
        log.error("ratelimit.uncounted", action=action, exc_info=error)


def _somebody(who: str) -> str:
    try:
        address = ipaddress.ip_address(who)
    except ValueError:
        return who
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
