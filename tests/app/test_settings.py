"""Settings: from the environment only, safe when left alone, and refusing what is not fit to start with."""

import os
import runpy
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client

from config.database import close_pool, let_go

APP = Path(__file__).resolve().parents[2] / "app"
SECRETS = ("DJANGO_SECRET_KEY", "DJANGO_JWT_KEY")
SHEET = b"p { color: black }\n"


@pytest.fixture
def read_settings(monkeypatch, app_environment):
    """Read the settings anew; a variable that is None is left out."""

    def read(**changed):
        for name in app_environment:
            monkeypatch.delenv(name, raising=False)
        for name, value in ({name: app_environment[name] for name in SECRETS} | changed).items():
            if value is not None:
                monkeypatch.setenv(name, value)
        return runpy.run_path(str(APP / "config" / "settings.py"))

    return read


def test_left_alone_everything_is_safe(read_settings):
    """With nothing but the two secrets, production settings come out."""
    found = read_settings()
    assert found["DEBUG"] is False
    assert found["ALLOWED_HOSTS"] == []
    assert found["SECURE_SSL_REDIRECT"] is True
    assert found["LAB_IDENTITY"] is False
    assert found["LAB_FAULTS"] is False
    assert [each for each in found["MIDDLEWARE"] if each.startswith("lab.")] == []
    assert found["LAB_LOGIN_LIMITS"] is True
    assert found["SESSION_COOKIE_SECURE"] is True
    assert found["PASSWORD_HASHERS"] == ["accounts.hashers.Argon2id"]
    assert found["CORS_ALLOWED_ORIGINS"] == []
    assert "SECURE_PROXY_SSL_HEADER" not in found


def test_the_environment_switches(read_settings):
    """Each variable of the contract does what it says."""
    found = read_settings(
        DJANGO_ALLOWED_HOSTS="a.example,b.example",
        DJANGO_SSL_REDIRECT="false",
        DJANGO_TRUSTED_PROXY="true",
        DJANGO_CORS_ORIGINS="https://a.example",
        LAB_IDENTITY="on",
        LAB_CHEAP_HASHER="on",
    )
    assert found["ALLOWED_HOSTS"] == ["a.example", "b.example"]
    assert found["SECURE_SSL_REDIRECT"] is False
    assert found["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert found["CORS_ALLOWED_ORIGINS"] == ["https://a.example"]
    assert found["LAB_IDENTITY"] is True
    assert found["PASSWORD_HASHERS"][0] == "django.contrib.auth.hashers.MD5PasswordHasher"


@pytest.mark.parametrize(
    ("variable", "name", "values"),
    [
        ("DJANGO_SESSION_STORE", "SESSION_STORE", ("database", "cache")),
        ("DJANGO_JWT_VERIFY", "JWT_VERIFY", ("user", "stateless")),
        ("DJANGO_PLAIN_TOKENS", "PLAIN_TOKENS", ("header", "cookie")),
        ("LAB_STATIC", "LAB_STATIC", ("none", "app")),
    ],
)
def test_a_choice_is_one_of_its_words_and_the_first_by_default(read_settings, variable, name, values):
    """An empty variable counts as absent; any other word stops the start."""
    for value in values:
        assert read_settings(**{variable: value})[name] == value
    assert read_settings(**{variable: ""})[name] == read_settings()[name] == values[0]
    with pytest.raises(ImproperlyConfigured, match=f"{variable}=x: must be one of {', '.join(values)}"):
        read_settings(**{variable: "x"})


@pytest.mark.parametrize(
    "variable",
    [
        "LAB_LOGIN_LIMITS",
        "LAB_CHEAP_HASHER",
        "LAB_CSRF_CHECK",
        "LAB_FAULTS",
        "DJANGO_SECURE_COOKIES",
        "DJANGO_TRUSTED_PROXY",
    ],
)
def test_a_misspelled_switch_stops_the_start(read_settings, variable):
    """Else it could switch a protection off."""
    with pytest.raises(ImproperlyConfigured, match=f"{variable}=onn: must be one of on, true, yes, 1, off"):
        read_settings(**{variable: "onn"})
    assert read_settings(**{variable: ""}).keys() == read_settings().keys()


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "ten", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 30])
def test_a_life_that_is_no_number_of_seconds_stops_the_start(read_settings, value):
    """Neither none nor for ever."""
    with pytest.raises(ImproperlyConfigured, match="must be a whole number of at least 1"):
        read_settings(DJANGO_ACCESS_LIFETIME_S=value)
    found = read_settings(DJANGO_ACCESS_LIFETIME_S="5", DJANGO_REFRESH_LIFETIME_S="")
    lives = (found["ACCESS_LIFETIME"], found["REFRESH_LIFETIME"], found["FAMILY_LIFETIME"])
    assert lives == (timedelta(seconds=5), timedelta(days=1), timedelta(days=30))


def test_without_redis_what_processes_share_is_in_the_database(read_settings):
    """Never in the memory of one of them, and never dropped because there is much of it."""
    found = read_settings()["CACHES"]["default"]
    assert found["BACKEND"] == "django.core.cache.backends.db.DatabaseCache"
    assert found["OPTIONS"] == {"MAX_ENTRIES": 100_000}
    there = read_settings(REDIS_URL="redis://cache:6379/0")["CACHES"]["default"]
    assert (there["BACKEND"], there["LOCATION"]) == (
        "django.core.cache.backends.redis.RedisCache",
        "redis://cache:6379/0",
    )
    assert there["OPTIONS"] == {"socket_connect_timeout": 2, "socket_timeout": 2}


def test_debug_pages_are_for_this_machine_only(read_settings):
    """They show settings and source: where any other host is served they stop the start."""
    assert read_settings(DJANGO_DEBUG="true", DJANGO_ALLOWED_HOSTS="localhost,127.0.0.1")["DEBUG"] is True
    for hosts in ("lab.example.org", "localhost,*"):
        with pytest.raises(ImproperlyConfigured, match="debug pages show settings and source"):
            read_settings(DJANGO_DEBUG="true", DJANGO_ALLOWED_HOSTS=hosts)


def test_writes_without_a_csrf_token_are_for_this_machine_only(read_settings):
    """Where any other host is served any page could write as whoever is signed in: that stops the start."""
    unchecked = "lab.unchecked.unchecked"
    assert unchecked not in read_settings(DJANGO_ALLOWED_HOSTS="lab.example.org")["MIDDLEWARE"]
    found = read_settings(LAB_CSRF_CHECK="off", DJANGO_ALLOWED_HOSTS=".localhost,127.0.0.1")["MIDDLEWARE"]
    assert found.index(unchecked) < found.index("django.middleware.csrf.CsrfViewMiddleware")
    for hosts in ("lab.example.org", "localhost,*"):
        with pytest.raises(ImproperlyConfigured, match="any page could write as whoever is signed in"):
            read_settings(LAB_CSRF_CHECK="off", DJANGO_ALLOWED_HOSTS=hosts)


@pytest.fixture
def with_static(read_settings, settings, tmp_path):
    """Clients of the app with LAB_STATIC set so, and with one file that was collected."""
    (tmp_path / "static" / "lab").mkdir(parents=True)
    (tmp_path / "static" / "lab" / "sample.css").write_bytes(SHEET)
    (tmp_path / "secret.css").write_bytes(SHEET)

    def client(switch):
        for name, value in read_settings(LAB_STATIC=switch).items():
            if name == "MIDDLEWARE" or name.startswith("WHITENOISE_"):
                setattr(settings, name, value)
        settings.STATIC_ROOT = tmp_path / "static"
        return Client()

    return client


def test_the_app_serves_no_static_file_unless_it_is_told_to(read_settings, with_static):
    """Left alone nothing of WhiteNoise is there at all."""
    found = read_settings()
    assert [name for name in (*found, *found["MIDDLEWARE"]) if "whitenoise" in name.lower()] == []
    answer = with_static("none").get("/static/lab/sample.css")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_told_to_it_serves_what_was_collected_and_browsers_may_keep_it_for_a_minute(with_static):
    """As WhiteNoise does by default, within the app's own headers."""
    answer = with_static("app").get("/static/lab/sample.css")
    assert (answer.status_code, answer.getvalue()) == (200, SHEET)
    assert answer.headers["Content-Type"] == 'text/css; charset="utf-8"'
    assert answer.headers["Cache-Control"] == "max-age=60, public"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("base-uri 'none'")


@pytest.mark.parametrize("path", ["../secret.css", "%2e%2e/secret.css", "lab/", "lab/none.css"])
def test_told_to_it_serves_nothing_else(with_static, path):
    answer = with_static("app").get(f"/static/{path}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_whitenoise_stands_directly_behind_django_s_own_security(read_settings):
    """Where its documentation wants it; files that come later are not looked for, with DEBUG neither."""
    without = read_settings()["MIDDLEWARE"]
    found = read_settings(LAB_STATIC="app", DJANGO_DEBUG="on", DJANGO_ALLOWED_HOSTS="localhost")
    place = without.index("django.middleware.security.SecurityMiddleware") + 1
    assert found["MIDDLEWARE"] == [
        *without[:place],
        "whitenoise.middleware.WhiteNoiseMiddleware",
        *without[place:],
    ]
    assert found["WHITENOISE_AUTOREFRESH"] is False


@pytest.mark.parametrize(("secure", "prefix"), [("true", "__Host-"), ("false", "")])
def test_cookies_over_tls_are_bound_to_their_host(read_settings, secure, prefix):
    """The prefix holds only with Secure, so plain HTTP has to do without."""
    found = read_settings(DJANGO_SECURE_COOKIES=secure)
    assert (found["SESSION_COOKIE_NAME"], found["CSRF_COOKIE_NAME"]) == (
        f"{prefix}sessionid",
        f"{prefix}csrftoken",
    )
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is (secure == "true")


def test_sqlite_waits_for_its_lock_and_writes_ahead(read_settings):
    """The embedded default, option by option."""
    assert read_settings()["DATABASES"]["default"] == {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "/data/db.sqlite3",
        "USER": "",
        "PASSWORD": "",
        "HOST": "",
        "PORT": "",
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }


def test_where_the_database_and_redis_are_may_stand_in_files(read_settings, tmp_path):
    """So may the password alone."""
    texts = {
        "DATABASE_URL": "postgres://lab@db:5432/lab",
        "DATABASE_PASSWORD": "pw",
        "REDIS_URL": "redis://:pw@cache:6379/0",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(f"{text}\n")
    found = read_settings(**{f"{name}_FILE": str(tmp_path / name) for name in texts})
    database = found["DATABASES"]["default"]
    assert (database["USER"], database["PASSWORD"], database["HOST"]) == ("lab", "pw", "db")
    assert found["CACHES"]["default"]["LOCATION"] == texts["REDIS_URL"]


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_PASSWORD", "REDIS_URL"])
def test_a_file_that_is_named_has_to_be_there_and_to_say_something(read_settings, tmp_path, name):
    (tmp_path / "empty").touch()
    for file, words in {"missing": "cannot be read", "empty": f"Set the environment variable {name}"}.items():
        with pytest.raises(ImproperlyConfigured, match=words):
            read_settings(**{f"{name}_FILE": str(tmp_path / file)})


@pytest.mark.parametrize(("threads", "size"), [("16", 16), ("1", 2), ("0", 16)])
def test_postgresql_has_a_pool_for_the_threads(read_settings, threads, size):
    """One connection per thread of a worker; unbounded threads share sixteen."""
    found = read_settings(DATABASE_URL="postgres://lab:pw@db:5432/lab", LAB_THREADS=threads)["DATABASES"][
        "default"
    ]
    assert (found["ENGINE"], found["HOST"], found["CONN_MAX_AGE"]) == (
        "django.db.backends.postgresql",
        "db",
        0,
    )
    assert found["OPTIONS"] == {
        "pool": {"min_size": 1, "max_size": size, "timeout": 2, "reconnect_timeout": 2},
        "connect_timeout": 2,
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"DJANGO_SECRET_KEY": None}, "Set the environment variable DJANGO_SECRET_KEY"),
        ({"DJANGO_JWT_KEY": None}, "Set the environment variable DJANGO_JWT_KEY"),
        ({"DJANGO_JWT_KEY": ""}, "Set the environment variable DJANGO_JWT_KEY"),
        ({"DJANGO_JWT_KEY": "k" * 31}, "DJANGO_JWT_KEY has 31 bytes; HS256 needs at least 32"),
        (
            {"DJANGO_JWT_KEY": "s" * 60, "DJANGO_SECRET_KEY": "s" * 60},
            "DJANGO_JWT_KEY equals DJANGO_SECRET_KEY",
        ),
    ],
)
def test_an_unfit_key_stops_the_start(read_settings, changed, message):
    """Missing, short and shared keys are refused in words."""
    with pytest.raises(ImproperlyConfigured, match=message):
        read_settings(**changed)


def test_a_key_that_begins_with_a_dollar_is_taken_as_it_is(read_settings):
    """django-environ would look for another variable."""
    key = "$" + "k" * 60
    assert read_settings(DJANGO_SECRET_KEY=key)["SECRET_KEY"] == key


def test_a_server_does_not_start_with_a_short_key(app_environment):
    """The refusal reaches whoever reads the server's log."""
    environment = os.environ | app_environment | {"DJANGO_JWT_KEY": "short"}
    tried = subprocess.run(
        [sys.executable, "-c", "import config.wsgi"],
        cwd=APP,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 1
    assert "DJANGO_JWT_KEY has 5 bytes" in tried.stderr


def test_the_deployment_checks_pass_with_production_settings(app_environment):
    """With nothing but what has to be set: two secrets and a host."""
    given = {name: app_environment[name] for name in (*SECRETS, "DJANGO_ALLOWED_HOSTS")}
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=APP,
        env={"PATH": os.environ["PATH"]} | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n")


@pytest.mark.django_db
def test_every_model_change_has_its_migration():
    """Makemigrations would write nothing."""
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_what_a_process_keeps_is_closed_when_it_ends(monkeypatch):
    """Registered once per process; a database without a pool is left alone."""
    registered = []
    monkeypatch.setattr("atexit.register", registered.append)
    apps.get_app_config("config").ready()
    assert registered == [close_pool, let_go]
    close_pool()
