"""Every popular sentence that the lab set out to test has a file, a test that parses, and a place on the page."""

import re

import pytest

from serverlab.catalog.claims import claim_mistakes, load_claims
from serverlab.cli.claims import all_claim_mistakes, names_of_conditions
from serverlab.cli.context import CHECKOUT, Context
from serverlab.cli.main import build
from serverlab.reports.claims import slug

SENTENCES = {
    "runserver-single-threaded": "runserver is single-threaded",
    "runserver-one-at-a-time": "runserver handles one request at a time",
    "runserver-one-core": "runserver cannot use more than one core",
    "runserver-no-load-balancing": "runserver has no load balancing",
    "runserver-no-https": "runserver has no HTTPS",
    "runserver-debug-and-reload": "runserver shows debug pages and reloads itself",
    "runserver-no-comeback": "runserver does not come back after a crash",
    "runserver-leaks": "runserver leaks memory in long runs",
    "runserver-unsafe": "runserver is unsafe",
    "gunicorn-workers-concurrency": "Gunicorn's workers give concurrency",
    "gunicorn-workers-balance": "Gunicorn's workers balance the load",
    "uwsgi-faster": "uWSGI is faster than Gunicorn",
    "mod-wsgi-slower": "mod_wsgi is slower",
    "asgi-faster": "ASGI servers are faster than WSGI ones for Django",
    "daphne-for-websockets": "Daphne is needed for WebSockets",
    "nginx-costs-throughput": "nginx in front costs throughput",
    "nginx-slow-clients": "nginx protects from slow clients",
    "nginx-static-files": "nginx serves static files faster",
    "timeout-bounds-request": "A time-out setting bounds a request",
    "more-workers-better": "More workers are always better",
    "jwt-saves-work": "JWTs save the server work against sessions",
    "jwt-scales": "JWTs scale to more instances without a shared store, sessions do not",
    "jwt-larger": "JWTs are larger on the wire",
    "sessions-revoked-jwts-not": "Sessions can be revoked at once, and JWTs cannot",
    "csrf-header-cookie": "A token in a header needs no CSRF protection, and one in a cookie does",
    "related-queries": "select_related makes one query, and prefetch_related one more per relation",
    "related-faster": "select_related is faster than prefetch_related",
}
CLAIMS = load_claims(CHECKOUT)


def test_every_sentence_that_is_asked_for_has_its_file_and_no_other_file_is_there():
    assert list(CLAIMS) == sorted(SENTENCES)
    for name, sentence in SENTENCES.items():
        assert CLAIMS[name].sentence.startswith(sentence), name


@pytest.mark.parametrize("name", CLAIMS)
def test_no_claim_has_a_mistake(name, root, catalog):
    assert list(claim_mistakes(root / "claims" / f"{name}.toml", catalog, names_of_conditions())) == []


def test_the_test_of_every_claim_is_a_command_that_parses_and_files_that_are_there():
    context = Context()
    assert all_claim_mistakes(build(context), context) == []


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_says_who_why_how_and_what_a_critic_would_say_in_whole_sentences(name):
    claim = CLAIMS[name]
    for text in (claim.sentence, claim.said_by, claim.why, claim.how, claim.critic):
        assert text.endswith("."), text
    assert all(each.because.endswith(".") for each in claim.outcomes)
    assert all(each.startswith("https://") for each in claim.links)


def test_every_claim_is_on_the_page_once_below_its_topic(root):
    page = (root / "docs" / "claims.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    found = {
        name: topic
        for topic, text in zip(parts[1::2], parts[2::2], strict=True)
        for name in re.findall(r"<!-- claim: (\S+) -->", text)
    }
    assert found == {name: claim.topic.value for name, claim in CLAIMS.items()}
    assert len(re.findall(r"<!-- claim: ", page)) == len(CLAIMS)


def test_the_overview_leads_to_every_claim(root):
    page = (root / "docs" / "claims.md").read_text(encoding="utf-8")
    for claim in CLAIMS.values():
        assert f"](#{slug(claim.sentence)})" in page
