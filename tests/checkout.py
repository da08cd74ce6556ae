"""A small checkout of the lab with everything in it that a verb may read, and nothing that has to stay the same."""

from __future__ import annotations

from pathlib import Path

GUNICORN = """\
format = 1
title = "Gunicorn"
interface = "wsgi"
distribution = "gunicorn"
docs = "https://gunicorn.org/"
default_variant = "gthread"
capabilities = ["workers", "threads"]

[signals]
stop = "SIGTERM"

[identity]
server_header = '^gunicorn$'
process = '^gunicorn'
supervisors = 1

[variants.sync]
title = "sync workers"
track = "production"
command = ["gunicorn"]
workers = { per_cpu = 1, extra = 1 }
threads = 1

[variants.gthread]
title = "threaded workers"
track = "production"
command = ["gunicorn"]
workers = { per_cpu = 1 }
threads = 16

[[settings]]
setting = "threads = 16"
why = "Threads wait."
link = "https://gunicorn.org/design/"
variants = ["gthread"]
"""

GUNICORN_ASGI = """\

[variants.asgi]
title = "event loops"
track = "production"
interface = "asgi"
capabilities = ["websocket"]
command = ["gunicorn"]
workers = { per_cpu = 1 }
threads = 0
"""
"""A variant of Gunicorn that calls the app otherwise and can do more; not part of the checkout as it is made."""

RUNSERVER = """\
format = 1
title = "runserver"
interface = "wsgi"
distribution = "Django"
docs = "https://docs.djangoproject.com/"
default_variant = "threaded"
capabilities = ["threads"]

[signals]
stop = "SIGTERM"

[identity]
server_header = '^WSGIServer'
process = 'manage.py runserver'

[variants.threaded]
title = "as installed"
track = "default"
command = ["python", "manage.py", "runserver"]
workers = { extra = 1 }
threads = 0
"""

UWSGI = """\
format = 1
title = "uWSGI"
interface = "wsgi"
distribution = "uWSGI"
docs = "https://uwsgi-docs.readthedocs.io/"
default_variant = "http"
capabilities = ["workers"]

[signals]
stop = "SIGTERM"

[identity]
server_header = ''
process = '^uwsgi'
supervisors = 1

[variants.http]
title = "workers speak HTTP"
track = "production"
command = ["uwsgi"]
workers = { per_cpu = 1, extra = 1 }
threads = 1

[variants.uwsgi]
title = "workers speak the uwsgi protocol"
track = "production"
protocol = "uwsgi"
command = ["uwsgi"]
workers = { per_cpu = 1 }
threads = 1

[variants.uwsgi.identity]
server_header = ''
process = '^uwsgi --socket'
"""

DAPHNE = """\
format = 1
title = "Daphne"
interface = "asgi"
distribution = "daphne"
docs = "https://channels.readthedocs.io/"
default_variant = "production"
capabilities = ["threads", "websocket"]

[signals]
stop = "SIGTERM"

[identity]
server_header = '^daphne$'
process = 'daphne'

[variants.production]
title = "one process"
track = "production"
command = ["daphne"]
workers = { extra = 1 }
threads = 0

[variants.replicated]
title = "one process per core"
track = "production"
command = ["daphne"]
workers = { extra = 1 }
threads = 0
replicas_per_cpu = 1
"""

NGINX = """\
format = 1
title = "nginx"
distribution = "nginx"
docs = "https://nginx.org/en/docs/"
protocols = ["http", "uwsgi"]
capabilities = ["static", "tls"]

[signals]
stop = "SIGQUIT"

[identity]
server_header = '^nginx$'
process = '^nginx'
supervisors = 1
"""

CADDY = NGINX.replace("nginx", "caddy").replace(', "uwsgi"', "")
"""Another edge, which speaks only HTTP; not part of the checkout as it is made."""

PROFILE = """\
format = 1
title = "Profile"
description = "One user read"
arrival = "closed"
users = 16
warmup_s = 2
duration_s = 6
timeout_s = 10
"""

STATIC = (
    PROFILE.replace('"Profile"', '"Static file"').replace("One user read", "A file") + 'needs = ["static"]\n'
)

QUICK = """\
format = 1
title = "Quick"
question = "How do they compare?"
targets = ["gunicorn", "runserver"]
workloads = ["profile"]
reference = "gunicorn:gthread"
rounds = 2
control = false
seed = 7
"""

LISTS = (
    PROFILE
    + """\
app = { LAB_JWT_VERIFY = "stateless" }

[variants.naive]
title = "naive"
description = "A query for each row"
parameters = { strategy = "naive" }

[variants.join]
title = "join"
description = "One query"
parameters = { strategy = "join" }

[variants.cached]
title = "cached"
description = "A session in Redis"
app = { LAB_SESSION_STORE = "cache" }
cache = "redis"
"""
)
"""A workload with variants; not part of the checkout as it is made."""

COMPARED = """\
format = 1
title = "Lists"
question = "What does a query cost?"
targets = ["gunicorn", "runserver"]
rounds = 2

[comparisons]
"lists:join" = ["lists:naive"]

[load]
duration_s = 1.5
"""
"""Compares them; not part of the checkout either."""

DOCKERFILE = "ARG APP_IMAGE=serverlab/app:dev\nFROM ${APP_IMAGE}\n"

FILES = {
    "deploy/gunicorn/server.toml": GUNICORN,
    "deploy/runserver/server.toml": RUNSERVER,
    "deploy/uwsgi/server.toml": UWSGI,
    "deploy/daphne/server.toml": DAPHNE,
    "deploy/nginx/edge.toml": NGINX,
    "loadtests/profile/workload.toml": PROFILE,
    "loadtests/static/workload.toml": STATIC,
    "loadtests/shared/users.py": "",
    "experiments/quick.toml": QUICK,
    "app/Dockerfile": DOCKERFILE,
    "deploy/gunicorn/Dockerfile": DOCKERFILE,
    "loadtests/Dockerfile": DOCKERFILE,
}


def make_checkout(root: Path) -> Path:
    """Write the checkout below ``root`` and return it."""
    for path, text in FILES.items():
        write(root, path, text)
    return root


def write(root: Path, path: str, text: str) -> Path:
    """Write one file, with its folders, and return its path."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
