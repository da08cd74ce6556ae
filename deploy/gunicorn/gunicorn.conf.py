"""Gunicorn's production variants: the container's budget in Gunicorn's words. `server.toml` gives the reasons."""

import os

bind = "0.0.0.0:8000"
worker_class = os.environ["LAB_WORKER_CLASS"]
workers = int(os.environ["LAB_WORKERS"])
# A sync worker with more than one thread silently becomes a gthread worker.
threads = int(os.environ["LAB_THREADS"]) if worker_class == "gthread" else 1
# gevent's worker patches the standard library after the fork: what was imported before that would go on blocking.
preload_app = worker_class != "gevent"

timeout = int(os.environ["LAB_TIMEOUT"])
keepalive = int(os.environ["LAB_KEEPALIVE"])
graceful_timeout = 25  # below the 35 seconds after which the engine kills

max_requests = 50_000
max_requests_jitter = 5_000

worker_tmp_dir = "/dev/shm"  # noqa: S108 - a directory in memory, for files that Gunicorn opens and unlinks itself
control_socket_disable = True
# Of an ASGI worker's clients; the feed itself takes 4 KiB.
websocket_max_message_size = 65_536
accesslog = "-" if os.environ["LAB_ACCESS_LOG"] == "on" else None
# The path without its query, which may hold what is nobody's business: %(r)s would log both.
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s'
