"""
The product's settings on a private engine of their own, made for speed.
"""

import os

os.environ.setdefault("VAR_DIR", "var/test")
os.environ.setdefault("EMBEDDED_FAST", "1")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("SECRET_KEY", "tests-only")

from crm_billing.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = STORAGES | {  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}

# Runs beside each other do not meet: each has a database of its own, named after its process.
DATABASES["default"]["TEST"] = {"NAME": f"test_{os.environ.get('TEST_RUN', os.getpid())}"}  # noqa: F405
