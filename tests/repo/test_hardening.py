"""Hardening that can be read: the container contract in the compose files, and one set of headers in three places."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

from serverlab.shell import HostShell, run_checked
from tests.compose_rules import RULES, broken

FILES = (
    "stack.yml",
    "edge.yml",
    "postgres.yml",
    "redis.yml",
    "realtime.yml",
    "faultproxy.yml",
    "dbproxy.yml",
    "upstreamproxy.yml",
    "load.yml",
    "locust.yml",
    "witness.yml",
)
REQUIRED = {
    "LAB_SERVER": "gunicorn",
}
BAD = {
    "can_be_written": {"read_only": False},
    "keeps_capabilities": {"cap_add": ["NET_ADMIN"]},
    "may_gain_privileges": {"security_opt": ["seccomp:unconfined"]},
    "is_privileged": {"privileged": True},
    "has_no_init": {"init": False},
    "has_no_memory_limit": {"memswap_limit": "-1"},
    "has_no_process_limit": {"pids_limit": -1},
    "has_no_limit_of_open_files": {"ulimits": {"nofile": {"soft": 1024, "hard": 1 << 20}}},
    "holds_a_secret_in_its_environment": {"environment": {"DJANGO_SECRET_KEY": "planted"}},
    "mounts_the_host": {"volumes": [{"type": "bind", "source": "/var/run/docker.sock"}]},
    "shares_the_hosts_name_spaces": {"network_mode": "host"},
    "is_open_to_the_network": {"ports": [{"target": 8000, "published": "8000"}]},
    "comes_from_elsewhere": {"image": "nginx:latest"},
    "logs_without_end": {"logging": {"driver": "json-file"}},
}
"""For each rule what to put into a good service, so that this rule and no other is broken."""

SETTINGS = """
import json
from config import settings
print(json.dumps({
    "policy": settings.CONTENT_SECURITY_POLICY["DIRECTIVES"],
    "frames": settings.X_FRAME_OPTIONS,
    "referrer": settings.SECURE_REFERRER_POLICY,
    "hsts": settings.SECURE_HSTS_SECONDS,
    "largest_body": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
}))
"""


@pytest.fixture(scope="module")
def services(root):
    """Every service of every overlay, as Compose resolves it."""
    chosen = [word for name in FILES for word in ("--file", str(root / "compose" / name))]
    done = run_checked(
        HostShell(), ["docker", "compose", *chosen, "config", "--format", "json"], env=REQUIRED
    )
    return json.loads(done.stdout)["services"]


@pytest.fixture(scope="module")
def null(root):
    """The server that does nothing, as Compose resolves it."""
    chosen = ["--file", str(root / "compose/null.yml")]
    done = run_checked(
        HostShell(), ["docker", "compose", *chosen, "config", "--format", "json"], env={"LAB_RUN": "repo"}
    )
    assert done.stderr == "", "Compose warns"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def app_settings(root):
    """What the app's settings say, left alone."""
    keys = {"DJANGO_SECRET_KEY": "planted-" * 8, "DJANGO_JWT_KEY": "another-" * 8}
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        cwd=root / "app",
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | keys,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def edge(root):
    """The edge's start script as a module."""
    spec = importlib.util.spec_from_file_location("edge_start", root / "deploy/nginx/start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parsed(policy):
    return {name: sources for name, *sources in (part.split() for part in policy.split(";"))}


def test_every_service_of_every_overlay_keeps_the_contract(services):
    assert {name: rules for name, service in services.items() if (rules := broken(service))} == {}
    assert {"app", "edge", "db", "migrate", "cache", "realtime", "faultproxy", "load"} <= set(services)


def test_the_server_that_does_nothing_keeps_the_contract_and_carries_the_label_of_its_run(null):
    assert (null["name"], set(null["services"]), "volumes" in null) == ("serverlab", {"app"}, False)
    assert broken(null["services"]["app"]) == []
    labels = {each["labels"]["org.serverlab"] for each in (null["services"]["app"], null["networks"]["lab"])}
    assert labels == {"repo"}


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_a_service_that_breaks_a_rule_is_caught(services, rule):
    assert broken(services["app"] | BAD[rule]) == [rule]


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_a_service_that_says_nothing_breaks_the_rules_that_ask_for_something(rule):
    """What is forbidden is absent from an empty one; all else has to be said."""
    forbidden = {"is_privileged", "mounts_the_host", "shares_the_hosts_name_spaces", "is_open_to_the_network"}
    forbidden |= {"holds_a_secret_in_its_environment"}
    assert (rule in broken({})) is (rule not in forbidden)


def test_edge_and_app_say_the_same_of_themselves(app_settings, edge):
    assert parsed(edge.HEADERS["Content-Security-Policy"]) == app_settings["policy"]
    assert edge.HEADERS["X-Frame-Options"] == app_settings["frames"]
    assert edge.HEADERS["Referrer-Policy"] == app_settings["referrer"]
    assert edge.HSTS.startswith(f"max-age={app_settings['hsts']};")
    assert app_settings["hsts"] >= 63_072_000


def test_apache_puts_the_same_headers_on_the_files_that_it_serves_itself(root, edge):
    text = (root / "deploy/apache/httpd.conf").read_text(encoding="utf-8")
    pairs = re.findall(r'^ *Header always set (\S+) "?([^"\n]+)"?$', text, re.MULTILINE)
    assert dict(pairs) == edge.HEADERS


def test_no_policy_lets_inline_scripts_or_foreign_sources_in(app_settings):
    sources = {source for each in app_settings["policy"].values() for source in each}
    assert sources == {"'none'", "'self'", "data:"}
    assert app_settings["policy"]["default-src"] == ["'none'"]
    assert "data:" not in app_settings["policy"]["script-src"]


def test_the_app_takes_smaller_bodies_than_the_edge_so_that_its_answer_is_the_one_that_is_seen(
    root, app_settings
):
    text = (root / "deploy/nginx/nginx.conf.in").read_text(encoding="utf-8")
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert app_settings["largest_body"] < int(megabytes) << 20
