"""Settings, read from the environment and parsed strictly; docs/operator.md describes each variable."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("VAR_DIR", BASE_DIR / "var"))

env = environ.Env()
if (VAR_DIR / "env").exists():
    env.read_env(str(VAR_DIR / "env"))

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0", ""}


def _refuse(name: str, wanted: str) -> ImproperlyConfigured:
    """The value itself is not repeated: it may hold a password, and this text goes to logs."""
    return ImproperlyConfigured(f"{name} is not {wanted}. Nothing was started. See docs/operator.md, section Settings.")


def _bool(name: str, *, default: bool) -> bool:
    text = env.str(name, default="true" if default else "false").strip().lower()
    if text not in _TRUE | _FALSE:
        raise _refuse(name, "true or false")
    return text in _TRUE


DEBUG = _bool("DEBUG", default=False)


def _required(name: str, *, development: str) -> str:
    """The variable, or in DEBUG a fixed development value; outside DEBUG its absence stops the start."""
    value = env.str(name, default="")
    if value:
        return value
    if DEBUG:
        return development
    raise ImproperlyConfigured(
        f"{name} is not set. Nothing was started. Set it in the environment or in var/env "
        f"(docs/operator.md, section Settings), or set DEBUG=true on a development machine."
    )


def _list(name: str, *, development: str = "", required: bool = False) -> list[str]:
    raw = _required(name, development=development) if required else env.str(name, default="")
    return [part.strip() for part in raw.split(",") if part.strip()]


SECRET_KEY = _required("SECRET_KEY", development="insecure-development-key-do-not-use-outside-debug-0123456789")
SECRET_KEY_FALLBACKS = _list("SECRET_KEY_FALLBACKS")
# Fernet keys for store secrets, newest first; `manage.py rotate_keys` moves rows to the first one.
FIELD_KEYS = _list("FIELD_KEYS", development="ZGV2ZWxvcG1lbnQta2V5LW5vdC1mb3ItcmVhbC11c2U=", required=True)
# Keys for signed links in mail, newest first; apart from SECRET_KEY, so that rotating that kills no unsubscribe link.
LINK_KEYS = _list("LINK_KEYS", development="insecure-development-link-key", required=True)

PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in {"http", "https"} or not _public.hostname or _public.path or _public.query:
    raise _refuse("PUBLIC_URL", "the address of this site without a path, such as https://after.example.com")
# Health is asked for on the machine itself.
ALLOWED_HOSTS = [_public.hostname, "127.0.0.1", "localhost", *_list("EXTRA_HOSTS"), *(["testserver"] if DEBUG else [])]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if _public.scheme == "https" else []
# Hosts in private ranges that outgoing calls may reach (a shop in the same network); merchants cannot change this.
ALLOWED_PRIVATE_HOSTS = _list("ALLOWED_PRIVATE_HOSTS")
# From where calls to shops leave, for merchants whose firewall has to let them pass.
OUTGOING_IP = env.str("OUTGOING_IP", default="")
VERSION = "0.1.0"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    # Both would rewrite the template loaders and undo each other; TEMPLATES names the loaders instead.
    "template_partials.apps.SimpleAppConfig",
    "django_cotton.apps.SimpleAppConfig",
    "django_htmx",
    "django_filters",
    "django_q",
    "import_export",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "anymail",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "stores",
    "loyalty",
    "reviews",
    "campaigns",
    "postpurchase",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "postpurchase.shell.user_language",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "postpurchase.urls"
WSGI_APPLICATION = "postpurchase.wsgi.application"
SITE_NAME = "Postpurchase"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "builtins": ["django_cotton.templatetags.cotton"],
            # From the outside in: `list.html#rows`, kept parsed, `<c-badge>`, files.
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django_cotton.cotton_loader.Loader",
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "postpurchase.shell.context",
            ],
        },
    }
]
COTTON_DIR = "components"

_DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'postpurchase.sqlite3'}")
try:
    if urlsplit(_DATABASE_URL).scheme not in {"sqlite", "postgres", "postgresql"}:
        raise ValueError
    _database = env.db_url_config(_DATABASE_URL)
    if not _database["NAME"]:
        raise ValueError
except ValueError as error:
    raise _refuse("DATABASE_URL", "sqlite:////path/to/file or postgres://user:password@host:5432/name") from error
if _database["ENGINE"].endswith("sqlite3"):
    # WAL alone makes read-then-write transactions fail under several writers; IMMEDIATE takes the lock first.
    _database["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
            "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=-20000;"
        ),
    }
elif _database["ENGINE"].endswith("postgresql"):
    # No connection pool: the worker forks, and forks must not share connections.
    _database["CONN_MAX_AGE"] = 60
    _database["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL and urlsplit(REDIS_URL).scheme not in {"redis", "rediss", "unix"}:
    raise _refuse("REDIS_URL", "redis://host:6379/0")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

AUTH_USER_MODEL = "stores.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "stores.access.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login_failed": "5/m/ip,5/m/key"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = SITE_NAME

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ro", "Română"), ("id", "Bahasa Indonesia")]
LOCALE_PATHS = [BASE_DIR / "postpurchase" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "postpurchase" / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"
# What was handed over, kept outside the database against a restore from yesterday; "-": none is kept.
SEND_JOURNAL = env.str("SEND_JOURNAL", default=str(VAR_DIR / "journal"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# Outside DEBUG: everything only over https, which a proxy in front ends and announces.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not DEBUG
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 0 if DEBUG else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
# The mail preview shows a message in a sandboxed frame of this site.
X_FRAME_OPTIONS = "SAMEORIGIN"
SILENCED_SYSTEM_CHECKS = ["security.W019"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],
        # Product pictures come from the merchant's shop, which is not known here.
        "img-src": [SELF, "data:", "https:", *(["http:"] if DEBUG else [])],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [SELF],
        "form-action": [SELF],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["stores.api_keys.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["stores.api_keys.HasScope"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "stores.api_base.handle_exception",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Postpurchase API",
    "VERSION": VERSION,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "FlowStateEnum": "campaigns.models.Flow.State",
        "HideReasonEnum": "reviews.models.Review.HideReason",
    },
}
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True

# Mail of the whole installation; a store may set its own. The demo's inbox is the default in DEBUG.
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL.startswith("anymail+"):
    # anymail+postmark://?server_token=...: the provider's name, its settings as the query.
    _provider = urlsplit(EMAIL_URL)
    EMAIL_BACKEND = f"anymail.backends.{_provider.scheme.removeprefix('anymail+').replace('-', '_')}.EmailBackend"
    ANYMAIL = {
        f"{_provider.scheme.removeprefix('anymail+').replace('-', '_')}_{name}".upper(): value
        for name, value in parse_qsl(_provider.query)
    }
elif EMAIL_URL:
    try:
        vars().update(env.email_url_config(EMAIL_URL))
    except (ValueError, KeyError, ImproperlyConfigured) as error:
        raise _refuse("EMAIL_URL", "a mail address such as smtp+tls://user:password@host:587") from error
else:
    EMAIL_BACKEND = "campaigns.channels.inbox.InboxBackend" if DEBUG else "django.core.mail.backends.smtp.EmailBackend"
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default=f"postpurchase@{_public.hostname}")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Processes that talk to shops.
SYNC_WORKERS = max(env.int("SYNC_WORKERS", default=2), 1)
# retry must exceed timeout x (1 + ceil((queue_limit + bulk) / workers)); due rows own retries, hence ack_failures.
Q_CLUSTER = {
    "name": "postpurchase",
    "orm": "default",
    "workers": 2,
    "bulk": 1,
    "queue_limit": 2,
    "timeout": 60,
    "retry": 240,
    "max_attempts": 5,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "recycle": 500,
    "max_rss": 400_000,
    "poll": 0.5,
    "label": "Worker",
    "ALT_CLUSTERS": {"sync": {"workers": SYNC_WORKERS, "queue_limit": 1, "timeout": 180, "retry": 600}},
}

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
    raise _refuse("LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # It tells of each wake-up, several a minute on an idle machine.
    "loggers": {"django-q": {"level": "WARNING"}},
}
