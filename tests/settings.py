"""
The product's settings on a private engine of their own, made for speed.
"""

import os
from urllib.parse import urlsplit

os.environ.setdefault("VAR_DIR", "var/test")
os.environ.setdefault("EMBEDDED_FAST", "1")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("SECRET_KEY", "tests-only")

from crm_billing.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = STORAGES | {  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}

# Runs beside each other do not meet: each has a database of its own, named after its process and
# its lane of .ci/test, and each lane a broker and a cache, which its tests empty.
LANE = int(os.environ.get("TEST_LANE", 0))
RUN = os.environ.get("TEST_RUN", os.getpid())
DATABASES["default"]["TEST"] = {"NAME": f"test_{RUN}_{LANE}"}  # noqa: F405


def redis_addresses(number: int) -> tuple[str, str]:
    """
    Return where messages and where remembered values go in one database of the tests' Redis.
    """
    if REDIS_URL:  # noqa: F405
        given = urlsplit(REDIS_URL)._replace(path=f"/{number}").geturl()  # noqa: F405
        return given, given
    return embedded.broker_url(number), embedded.redis_url(number)  # noqa: F405


CELERY_BROKER_URL, _ = redis_addresses(2 * LANE)
_, CACHES["default"]["LOCATION"] = redis_addresses(2 * LANE + 1)  # noqa: F405
