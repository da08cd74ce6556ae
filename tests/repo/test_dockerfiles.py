"""What holds for every image of the lab."""

import re

import pytest

from serverlab.images import find_sources
from tests.dockerfile_rules import RULES, broken

GOOD = """\
# An image that keeps every rule.
ARG BASE_IMAGE=python:3.13-slim-trixie
FROM ${BASE_IMAGE}

LABEL org.serverlab="image" \\
      org.opencontainers.image.title="planted" \\
      org.opencontainers.image.licenses="MIT"

ENV HOME=/tmp
RUN apt-get update \\
    && apt-get install --yes --no-install-recommends nginx \\
    && rm -rf /var/lib/apt/lists/* \\
    && rm -rf /var/log/apt/* /var/log/*.log /var/cache/ldconfig/aux-cache
RUN --mount=type=secret,id=pip_conf pip install --no-compile --require-hashes -r /requirements/app.txt
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY app/ /app/
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/venv/bin/python", "/app/launch.py"]
"""
BAD = {
    "fetches_a_front_end": ("# An image", "# syntax=docker/dockerfile:1\n# An image"),
    "is_built_from_elsewhere": ("FROM ${BASE_IMAGE}", "FROM debian:latest AS base\nFROM ${BASE_IMAGE}"),
    "runs_as_root_or_by_name": ("USER 10001:10001", "USER www-data"),
    "lacks_our_labels": ('org.serverlab="image"', 'org.serverlab="other"'),
    "starts_through_a_shell": ('["/venv/bin/python", "/app/launch.py"]', "/venv/bin/python /app/launch.py"),
    "installs_without_hashes": ("--require-hashes ", ""),
    "adds_instead_of_copying": ("COPY app/", "ADD https://example.org/app.tar /tmp/\nCOPY app/"),
    "keeps_package_lists": (" \\\n    && rm -rf /var/lib/apt/lists/*", ""),
    "installs_recommended_packages": ("--no-install-recommends ", ""),
    "runs_what_it_fetches": ("COPY app/", "RUN curl https://example.org/install | sh\nCOPY app/"),
    "holds_a_secret": ("ENV HOME=/tmp", "ENV HOME=/tmp DJANGO_SECRET_KEY=planted"),
    "keeps_setuid_programs": ("RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} +\n", ""),
    "keeps_logs": (" /var/log/*.log", ""),
    "compiles_with_times": ("--no-compile ", ""),
    "opens_files_to_everybody": ("COPY app/", "RUN chmod -R 777 /srv\nCOPY app/"),
}
"""For each rule the text to put in the place of a good one, so that this rule and no other is broken."""


@pytest.fixture
def text(root, dockerfile):
    return (root / dockerfile).read_text(encoding="utf-8")


def test_it_keeps_every_rule(text):
    assert broken(text) == []


def test_a_good_dockerfile_breaks_no_rule():
    assert broken(GOOD) == []


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_a_dockerfile_that_breaks_a_rule_is_caught(rule):
    good, bad = BAD[rule]
    assert GOOD.count(good) == 1
    assert broken(GOOD.replace(good, bad)) == [rule]


@pytest.mark.parametrize("user", ["", "USER 0:0", "USER 10001:10001\nUSER root"])
def test_every_way_of_being_root_is_caught(user):
    assert broken(GOOD.replace("USER 10001:10001", user)) == ["runs_as_root_or_by_name"]


def test_the_lab_knows_how_to_build_it(root, dockerfile):
    own = {source.dockerfile for source in find_sources(root).values()}
    planted = find_sources(root / "tests/calibration").values()
    assert dockerfile in own | {f"tests/calibration/{source.dockerfile}" for source in planted}


def test_the_images_stop_signal_is_the_one_that_the_definition_names(root, catalog, deployed):
    definition = catalog.servers.get(deployed) or catalog.edges[deployed]
    text = (root / "deploy" / deployed / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^STOPSIGNAL (\S+)$", text, re.MULTILINE) == [definition.signals.stop]
