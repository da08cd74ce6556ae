"""Settings of the project, all of them from the environment.

Nothing here depends on the server: the same bits run under every one of them. Left alone, every variable has
its safe value: debugging off, TLS demanded, the lab's own views absent, a slow password hash.
"""

from datetime import timedelta
from pathlib import Path

import environ

from config.database import tuned
from config.keys import secret_and_jwt_key

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent

# Secrets and modes
SECRET_KEY, JWT_KEY = secret_and_jwt_key(env.ENVIRON)
DEBUG = env.bool("DJANGO_DEBUG", default=False)
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=[])

# What the lab switches and what it has set, as launch.py hands it on
LAB_IDENTITY = env.bool("LAB_IDENTITY", default=False)
LAB_CHEAP_HASHER = env.bool("LAB_CHEAP_HASHER", default=False)
LAB_ACCESS_LOG = env.bool("LAB_ACCESS_LOG", default=False)
LAB_VARIANT = env.str("LAB_VARIANT", default="")
LAB_CPUS = env.int("LAB_CPUS", default=1)
LAB_WORKERS = env.int("LAB_WORKERS", default=1)
LAB_THREADS = env.int("LAB_THREADS", default=1)

# Applications
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "config.apps.ProjectConfig",
    "accounts",
    "catalogue",
    "lab",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
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
        env.db_url("DATABASE_URL", default="sqlite:////data/db.sqlite3"),
        pool_size=LAB_THREADS or 16,
    )
}

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
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_KEY,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.tokens.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.parsers.GuardedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 20,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# Transport and browsers
SECURE_SSL_REDIRECT = env.bool("DJANGO_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]  # asked from inside the container, where there is no TLS
SECURE_HSTS_SECONDS = 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
CSRF_COOKIE_SECURE = True
if env.bool("DJANGO_TRUSTED_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CORS_ALLOWED_ORIGINS = env.list("DJANGO_CORS_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/"

# Logging: JSON lines to stdout, and not one line for a request that went well or was refused
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "config.logs.json_formatter"}},
    "handlers": {
        "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
    },
    "root": {"handlers": ["stdout"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["stdout"], "level": "WARNING", "propagate": False},
        "django.request": {"level": "ERROR"},
        # runserver's access log
        "django.server": {
            "handlers": ["stdout"],
            "level": "INFO" if LAB_ACCESS_LOG else "ERROR",
            "propagate": False,
        },
    },
}
