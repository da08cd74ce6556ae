"""Settings of the project, all of them from the environment.

Nothing here depends on the server: the same bits run under every one of them. Left alone, every variable has
its safe value: debugging off, TLS demanded, the lab's own views absent, a slow password hash.
"""

from datetime import timedelta
from pathlib import Path

import environ
from csp.constants import NONE, SELF

from config.cache import channel_layer, shared_cache
from config.choices import one_of, switched, whole_number
from config.database import tuned
from config.keys import key_ring, optional, secret_key
from config.modes import allowed_debug, checks_csrf, cookie_name

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent

# Secrets and modes
SECRET_KEY = secret_key(env.ENVIRON)
JWT_KEYS = key_ring(env.ENVIRON, secret=SECRET_KEY)
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=[])
DEBUG = allowed_debug(wanted=switched(env.ENVIRON, "DJANGO_DEBUG", default=False), hosts=ALLOWED_HOSTS)

# What the lab switches and what it has set, as launch.py hands it on
LAB_IDENTITY = switched(env.ENVIRON, "LAB_IDENTITY", default=False)
LAB_FAULTS = switched(env.ENVIRON, "LAB_FAULTS", default=False)
LAB_CHEAP_HASHER = switched(env.ENVIRON, "LAB_CHEAP_HASHER", default=False)
LAB_ACCESS_LOG = switched(env.ENVIRON, "LAB_ACCESS_LOG", default=False)
LAB_LOGIN_LIMITS = switched(env.ENVIRON, "LAB_LOGIN_LIMITS", default=True)
LAB_CSRF_CHECK = checks_csrf(
    wanted=switched(env.ENVIRON, "LAB_CSRF_CHECK", default=True), hosts=ALLOWED_HOSTS
)
LAB_STATIC = one_of(env.ENVIRON, "LAB_STATIC", ("none", "app"))
LAB_VARIANT = env.str("LAB_VARIANT", default="")
LAB_CPUS = whole_number(env.ENVIRON, "LAB_CPUS", default=1)
# Compose hands on empty texts to whatever is run beside the server, such as manage.py
LAB_WORKERS = whole_number(env.ENVIRON, "LAB_WORKERS", default=1)
LAB_THREADS = whole_number(env.ENVIRON, "LAB_THREADS", default=1, least=0)

# Applications
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "corsheaders",
    "csp",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "config.apps.ProjectConfig",
    "accounts",
    "catalogue",
    "realtime",
    "lab",
]
MIDDLEWARE = [
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.policy.ContentPolicy",
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.guard.guard",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
if LAB_STATIC == "app":  # directly after SecurityMiddleware, as its documentation says
    MIDDLEWARE.insert(
        MIDDLEWARE.index("django.middleware.security.SecurityMiddleware") + 1,
        "whitenoise.middleware.WhiteNoiseMiddleware",
    )
    WHITENOISE_AUTOREFRESH = False  # nor with DEBUG, where it would look for each file anew
if not LAB_CSRF_CHECK:
    MIDDLEWARE.insert(
        MIDDLEWARE.index("django.middleware.csrf.CsrfViewMiddleware"), "lab.unchecked.unchecked"
    )
if LAB_IDENTITY:
    MIDDLEWARE.insert(0, "lab.tracing.trace")
if LAB_FAULTS:  # before everything that refuses requests: it tells what the server let through
    MIDDLEWARE.insert(0, "lab.echo.echo")
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

# Database: SQLite opens a connection per request, PostgreSQL has a pool per process; both fit WSGI and ASGI
DATABASES = {
    "default": tuned(
        env.db_url_config(optional(env.ENVIRON, "DATABASE_URL") or "sqlite:////data/db.sqlite3"),
        pool_size=LAB_THREADS or 16,
        password=optional(env.ENVIRON, "DATABASE_PASSWORD"),
    )
}

# What processes share: in Redis if there is one, else in the database, which every process and replica has anyway
REDIS_URL = optional(env.ENVIRON, "REDIS_URL")
CACHES = {"default": shared_cache(REDIS_URL)}

# The live feed: off, no write pays anything for it
REALTIME = switched(env.ENVIRON, "LAB_REALTIME", default=False)
CHANNEL_LAYERS = {"default": channel_layer(REDIS_URL)}

# Accounts
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.hashers.Argon2id"]
if LAB_CHEAP_HASHER:  # a real hash costs as much as dozens of requests and would be all that `mixed` measures
    PASSWORD_HASHERS.insert(0, "django.contrib.auth.hashers.MD5PasswordHasher")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Sessions
SESSION_STORE = one_of(env.ENVIRON, "DJANGO_SESSION_STORE", ("database", "cache"))
SESSION_ENGINE = {
    "database": "django.contrib.sessions.backends.db",
    "cache": "config.sessions",
}[SESSION_STORE]
SESSION_COOKIE_SECURE = switched(env.ENVIRON, "DJANGO_SECURE_COOKIES", default=True)
SESSION_COOKIE_NAME = cookie_name("sessionid", secure=SESSION_COOKIE_SECURE)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# Tokens
JWT_VERIFY = one_of(env.ENVIRON, "DJANGO_JWT_VERIFY", ("user", "stateless"))
PLAIN_TOKENS = one_of(env.ENVIRON, "DJANGO_PLAIN_TOKENS", ("header", "cookie"))
JWT_ISSUER = "serverlab"
JWT_AUDIENCE = "serverlab"
PLAIN_AUDIENCE = "serverlab-plain"
ACCESS_LIFETIME = timedelta(seconds=whole_number(env.ENVIRON, "DJANGO_ACCESS_LIFETIME_S", default=600))
REFRESH_LIFETIME = timedelta(seconds=whole_number(env.ENVIRON, "DJANGO_REFRESH_LIFETIME_S", default=86_400))
FAMILY_LIFETIME = timedelta(seconds=whole_number(env.ENVIRON, "DJANGO_FAMILY_LIFETIME_S", default=2_592_000))
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.EitherToken",
        "accounts.authentication.PlainCookie",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.ByRole"],
    "DEFAULT_SCHEMA_CLASS": "config.schema.Schema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.parsers.GuardedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 20,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "serverlab",
    "DESCRIPTION": "The application that the lab puts under test: a catalogue, and a way to sign in.",
    "VERSION": "1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.optional_relations",
        "config.schema.with_plain_routes",
    ],
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Transport and browsers
SECURE_SSL_REDIRECT = switched(env.ENVIRON, "DJANGO_SSL_REDIRECT", default=True)
# Health is asked from inside the container, where there is no TLS; the API refuses instead (config.guard): a client
# that is led on would send its token in the clear each time and never find out
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$", r"^api/"]
SECURE_HSTS_SECONDS = 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
CSRF_COOKIE_NAME = cookie_name("csrftoken", secure=CSRF_COOKIE_SECURE)
CSRF_COOKIE_HTTPONLY = True  # scripts get the token from /api/auth/csrf/
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
TRUSTED_PROXY = switched(env.ENVIRON, "DJANGO_TRUSTED_PROXY", default=False)
if TRUSTED_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CORS_ALLOWED_ORIGINS = env.list("DJANGO_CORS_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/"

# What a request may cost: larger bodies get 413, and nobody reads more of them than it takes to say so (config.guard)
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20

# Logging: JSON lines to stdout, and not one line for a request that went well or was refused
SECRETS = [
    SECRET_KEY,
    *(key.signing.decode(errors="replace") for key in JWT_KEYS.keys if key.algorithm == "HS256"),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "config.logs.json_formatter", "secrets": SECRETS}},
    "handlers": {
        "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
    },
    "root": {"handlers": ["stdout"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["stdout"], "level": "WARNING", "propagate": False},
        "django.request": {"level": "ERROR"},
        # anybody may send any Host, which is refused; a log line each would be theirs to write
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # runserver's access log
        "django.server": {
            "handlers": ["stdout"],
            "level": "INFO" if LAB_ACCESS_LOG else "ERROR",
            "propagate": False,
        },
    },
}
