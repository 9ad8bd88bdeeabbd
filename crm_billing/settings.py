"""
One settings module for every environment; only environment variables differ.

Each variable is read here and nowhere else, and has a line in `.env.example`.
Without DATABASE_URL and REDIS_URL the project uses its own private engines
(`crm_billing.embedded`), so a bare machine needs no other server.
"""

from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _
from whitenoise.compress import Compressor

from crm_billing import embedded, logs
from crm_billing.admin_look import unfold

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env(DEBUG=(bool, False), DEMO=(bool, False), ALLOWED_HOSTS=(list, []))
environ.Env.read_env(BASE_DIR / ".env")

# Core

DEBUG = env("DEBUG")
DEMO = env("DEMO")  # a local run with demo data, mail catcher and fake gateway
LOCAL = DEBUG or DEMO  # plain http on this machine
CRASH = env("CRASH", default="") if LOCAL else ""  # tests die here (crm_billing.crash)
SECRET_KEY = env("SECRET_KEY", default="") or embedded.secret_key()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])  # former ones, for some weeks
ALLOWED_HOSTS = env("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]", "testserver"]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "crm_billing.urls"
WSGI_APPLICATION = "crm_billing.wsgi.application"

# The company that runs the portal ("the issuer" on receipts)

ISSUER_NAME = env("ISSUER_NAME", default="云账单科技有限公司")
BRAND_NAME = env("BRAND_NAME", default="云账单")
ISSUER_EMAIL = env("ISSUER_EMAIL", default="billing@example.com")
SITE_URL = env("SITE_URL", default="http://localhost:8000").rstrip("/")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "djmoney",
    "drf_spectacular",
    "pghistory",
    "pgtrigger",
    "rest_framework",
    "crm_billing",
    "accounts",
    "wallet",
    "packages",
    "reports",
]

MIDDLEWARE = [
    "crm_billing.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "crm_billing.middleware.admin_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "crm_billing.audit.who_and_where",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.session_seen",
    "django_htmx.middleware.HtmxMiddleware",
    "crm_billing.middleware.private_pages",
    "accounts.middleware.current_customer",
    "crm_billing.middleware.locale_and_zone",
    "accounts.staff.gate",
    "crm_billing.middleware.htmx_messages",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "crm_billing.context.issuer",
                "accounts.context.customers",
                "wallet.context.wallet_balance",
            ],
            "builtins": ["crm_billing.templatetags.ui"],
        },
    }
]

# Data stores
#
# Every limit a stuck socket could ignore is set on the client side too (R21): the kernel
# gives up on a dead peer after 5 s, and a transaction left idle is ended by the server.

LIMITS = (
    f"lock_timeout={env.int('DB_LOCK_TIMEOUT_MS', default=2000)}",
    f"statement_timeout={env.int('DB_STATEMENT_TIMEOUT_MS', default=30000)}",
    f"idle_in_transaction_session_timeout={env.int('DB_IDLE_TIMEOUT_MS', default=60000)}",
)
# Behind PgBouncer a session is not ours: it takes no `options`, so limits belong to the role
# (docs/operations.md), and a cursor does not outlive its transaction.
POOLED = env.bool("DB_POOLED", default=False)
DATABASE = env.db_url_config(env("DATABASE_URL", default="") or embedded.database_url())
DATABASES = {
    "default": DATABASE
    | {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        "DISABLE_SERVER_SIDE_CURSORS": POOLED,
        "OPTIONS": {
            "connect_timeout": 5,
            "keepalives": 1,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 5000,
            "server_side_binding": True,
        }
        | ({} if POOLED else {"options": " ".join(f"-c {limit}" for limit in LIMITS)})
        | DATABASE.get("OPTIONS", {}),  # what the address says, such as sslmode
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env("REDIS_URL", default="")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env("CACHE_URL", default="") or REDIS_URL or embedded.redis_url(1),
        "KEY_PREFIX": "crm",
        "OPTIONS": {"socket_timeout": 3, "socket_connect_timeout": 3},
    }
}

# People

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http" if LOCAL else "https"
MFA_ADAPTER = "accounts.adapter.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LOCAL
MFA_TOTP_ISSUER = BRAND_NAME
USERSESSIONS_TRACK_ACTIVITY = True

# Language and time: store UTC, show the customer's zone

USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_ZONE = env("DEFAULT_ZONE", default="Asia/Shanghai")
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
DEFAULT_CURRENCY = "CNY"
CURRENCIES = ("CNY", "USD", "EUR", "JPY", "KWD")

# Admin: our colours and name on unfold; what stands in it is told by `reports`, which sees all

UNFOLD = unfold(brand=BRAND_NAME, issuer=ISSUER_NAME)

# Static files

STATIC_URL = "static/"
STATIC_ROOT = embedded.home() / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        if LOCAL  # compressing takes a minute of CPU, for nothing on one machine
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# The fonts of our PDFs lie with the static files but are never served; packing them takes 30 s.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = [*Compressor.SKIP_COMPRESS_EXTENSIONS, "ttf"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# Mail

EMAIL_CONFIG = env.email_url_config(env("EMAIL_URL", default="") or "smtp://127.0.0.1:2525")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"{BRAND_NAME} <{ISSUER_EMAIL}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
ALARM_EMAILS = env.list("ALARM_EMAILS", default=[])
# A proposal that nobody decides for so long is escalated, and again after as long
APPROVAL_HOURS = max(1, env.int("APPROVAL_HOURS", default=8))
BOUNCE_ADDRESS = env("BOUNCE_ADDRESS", default="")  # its mail goes to `manage.py take_bounce`

# Background work (R12): at least once, one at a time, ids only; the database is the queue

CELERY_BROKER_URL = REDIS_URL or embedded.broker_url(0)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "global_keyprefix": "crm:",
    "socket_timeout": 30,
    "socket_connect_timeout": 2,
    # a page that cannot reach the broker gives up the hint at once; the sweep finds the errand
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 600_000  # kB; drawing PDFs takes 200 MB (F27)
CELERY_TASK_TIME_LIMIT, CELERY_TASK_SOFT_TIME_LIMIT = 900, 840
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "purge-idempotency-keys": {
        "task": "crm_billing.tasks.purge_idempotency_keys",
        "schedule": 24 * 3600.0,
    },
    "relay-outbox": {"task": "crm_billing.tasks.relay_outbox", "schedule": 10.0},
    "resolve-open-attempts": {"task": "wallet.tasks.resolve_open_attempts", "schedule": 15.0},
    "expire-topups": {"task": "wallet.tasks.expire_topups", "schedule": 60.0},
    "release-expired-holds": {"task": "wallet.tasks.release_expired_holds", "schedule": 60.0},
    "expire-lots": {"task": "wallet.tasks.expire_lots", "schedule": 300.0},
    "remind-of-expiry": {"task": "wallet.tasks.remind_of_expiry", "schedule": 600.0},
    "seal-journal": {"task": "wallet.tasks.seal_journal", "schedule": 60.0},
    "check-books": {"task": "wallet.tasks.check_books", "schedule": 300.0},
    "verify-seal": {"task": "wallet.tasks.verify_seal", "schedule": crontab(hour=19, minute=30)},
    "continue-checkouts": {"task": "packages.tasks.continue_checkouts", "schedule": 60.0},
    "carry-on-price-moves": {
        "task": "packages.tasks.carry_on_price_moves",
        "schedule": 300.0,
    },
    "prepare-notices": {"task": "packages.tasks.prepare_notices", "schedule": 300.0},
    "sweep-renewals": {"task": "packages.tasks.sweep_renewals", "schedule": 120.0},
    "bill-use": {"task": "packages.tasks.bill_use", "schedule": 600.0},
    "tell-quotas": {
        "task": "packages.tasks.tell_all_quotas",
        "schedule": crontab(hour=20, minute=15),
    },
    "scan-charges": {"task": "packages.tasks.scan_charges", "schedule": crontab(hour=19, minute=0)},
    "report-parked": {"task": "reports.tasks.report_parked", "schedule": 60.0},
    "escalate-approvals": {"task": "reports.tasks.escalate_approvals", "schedule": 300.0},
}
OUTBOX_MAX_ATTEMPTS = env.int("OUTBOX_MAX_ATTEMPTS", default=8)

# Payment gateways: code -> options; only what is named here can be used

GATEWAYS: dict[str, dict] = {}
if env("SANDBOX_GATEWAY_URL", default=""):
    GATEWAYS["sandbox"] = {
        "url": env("SANDBOX_GATEWAY_URL"),
        "merchant_id": env("SANDBOX_MERCHANT_ID", default="CRMPORTAL"),
        "private_key": env("SANDBOX_PRIVATE_KEY", default=""),
        "gateway_public_key": env("SANDBOX_GATEWAY_PUBLIC_KEY", default=""),
        "keys_directory": str(embedded.home() / "sandbox-keys") if DEMO else "",
    }

# API

REST_FRAMEWORK: dict[str, object] = {
    "EXCEPTION_HANDLER": "crm_billing.api.exception_handler",
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api_keys.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api_keys.HasScope"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["crm_billing.bodies.ShallowJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api_keys.ApiKeyThrottle"],
    "DEFAULT_THROTTLE_RATES": {"api_key": env("API_RATE", default="600/min")},
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CRM billing portal API",
    "VERSION": "1",
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "ENUM_NAME_OVERRIDES": {"ChargeKindEnum": "packages.models.charges.Charge.Kind"},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "crm_billing.api.document_codes",
    ],
}

# Security headers

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "img-src": [SELF, "data:"],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}
CSRF_FAILURE_VIEW = "crm_billing.pages.csrf_failure"
SECURE_SSL_REDIRECT = not LOCAL
SECURE_HSTS_SECONDS = 0 if LOCAL else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not LOCAL
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not LOCAL
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
X_FRAME_OPTIONS = "DENY"
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)  # a proxy of ours sets X-Forwarded-Proto
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0  # whose X-Forwarded-For counts
REST_FRAMEWORK["NUM_PROXIES"] = ALLAUTH_TRUSTED_PROXY_COUNT
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Logs

LOGGING = logs.config(json=not LOCAL)
