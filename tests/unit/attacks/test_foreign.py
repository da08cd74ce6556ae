"""Pages that make a browser ask for writes: what they are, how they are served, and what is made of who wrote."""

from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from serverlab.attacks import foreign
from serverlab.attacks.foreign import DONE, FOREIGN, SAME_SITE, WAYS, Victim, outcome_of, pages_for, served
from serverlab.model.security import Verdict

SOUND = {
    f"{kind}_{way}": way == "sister" or kind == "none" or (kind, way) == ("unsaid", "form")
    for kind in SAME_SITE
    for way in WAYS
}


def victims():
    token = SimpleNamespace(cookies={"serverlab_access": "a.b.c"})
    return [Victim(kind, way, token) for kind in SAME_SITE for way in WAYS]


def test_what_browsers_are_documented_to_do_passes_and_is_told():
    found = outcome_of(SOUND, header=False)
    assert found.verdict is Verdict.PASS
    assert found.seen == (
        "wrote: none script, none form, none sister, unsaid form, unsaid sister, lax sister, strict sister"
    )
    assert found.measured == {**{name: float(each) for name, each in SOUND.items()}, "header_script": 0.0}


@pytest.mark.parametrize("name", ["strict_form", "strict_script"])
def test_a_strict_cookie_that_a_foreign_page_used_fails(name):
    found = outcome_of({**SOUND, name: True}, header=False)
    assert (found.verdict, found.reason) == (Verdict.FAIL, f"a foreign page wrote: {name}")


def test_a_write_for_a_token_in_a_header_fails():
    found = outcome_of(SOUND, header=True)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "a foreign page wrote: header_script")


def test_where_a_page_of_the_same_site_wrote_nothing_nothing_is_shown():
    """A browser that asked for nothing would else be one that keeps its cookies at home."""
    found = outcome_of({**SOUND, "lax_sister": False}, header=False)
    assert (found.verdict, "(lax_sister)" in found.reason) == (Verdict.UNKNOWN, True)


def test_every_cookie_is_there_before_anybody_asks_and_each_at_a_site_of_its_own():
    pages = pages_for(victims(), port=8000)
    planted = [page for page in pages if page.headers]
    assert pages[: len(planted)] == planted
    assert len({page.host for page in planted}) == len(SAME_SITE) * len(WAYS)
    assert {page.headers["Set-Cookie"].partition("HttpOnly")[2] for page in planted} == {*SAME_SITE.values()}
    asking = [page.host for page in pages[len(planted) :]]
    assert asking == [*(f"page.{kind}-sister.localhost" for kind in SAME_SITE), *[FOREIGN] * 5]


def test_each_page_asks_for_the_writes_of_its_own_victims():
    *_, scripts, first, _, _, last = pages_for(victims(), port=8000)
    write = "http://{}.localhost:8000/api/auth/{}/logout-everywhere/"
    for kind in SAME_SITE:
        assert write.format(f"{kind}-script", "plain") in scripts.text
    assert write.format("header", "jwt") in scripts.text
    assert write.format("none-form", "plain") in first.text
    assert write.format("strict-form", "plain") in last.text


def test_pages_are_served_each_leading_to_the_next_and_the_last_says_so():
    with served(pages_for(victims(), port=8000)) as address:
        texts, cookies = [], 0
        following = address
        while following:
            at = urlsplit(following)
            answer = asked(at.port, at.path, host=at.netloc)
            cookies += "Set-Cookie" in answer.headers
            texts.append(answer.read().decode())
            _, _, rest = texts[-1].partition('location.replace("')
            following = rest.partition('"')[0]
        assert asked(at.port, "/favicon.ico", host=at.netloc).status == 404
    assert (len(texts), cookies) == (22, 12)
    assert [DONE in text for text in texts] == [False] * 21 + [True]


def asked(port, path, *, host):
    """The answer of this machine's port to that host, whose name no resolver needs to know."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Host": host})
    return connection.getresponse()


class Engine:
    """An edge whose log holds so many writes, a request that is none, and a write that was given up."""

    def __init__(self, writes):
        self.log = b'"GET /api/auth/csrf/ HTTP/1.1" 200 40 200\n'
        self.log += b'"POST /api/auth/plain/logout-everywhere/ HTTP/1.1" 401 40 401\n' * writes
        self.log += b'"POST /api/auth/plain/logout-everywhere/ HTTP/1.1" 499 0 -\n'

    def service(self, name):
        return SimpleNamespace(logs=lambda since: self.log) if name == "edge" else None


@pytest.fixture
def visited(monkeypatch):
    """A browser that did something, and victims none of whom is any the worse for it but those of the same site."""
    monkeypatch.setattr(foreign, "find_browser", lambda: "chromium")
    monkeypatch.setattr(foreign, "wait_for_addresses", lambda: None)
    monkeypatch.setattr(foreign, "visit", lambda *_, **__: None)
    monkeypatch.setattr(foreign, "version", lambda shell: "Chromium 1")
    monkeypatch.setattr(foreign, "PATIENCE_S", 0.1)
    monkeypatch.setattr(Victim, "wrote", property(lambda self: self.way == "sister"))
    signed_in = SimpleNamespace(
        cookies={"serverlab_access": "a.b.c"},
        send=lambda *_, **__: SimpleNamespace(status_code=204),
        me=lambda: SimpleNamespace(status_code=200),
    )
    monkeypatch.setattr(foreign, "newcomer", lambda stage, way: signed_in)
    return lambda writes: foreign.foreign_pages(
        SimpleNamespace(url="http://127.0.0.1:8000", shell=None, engine=Engine(writes))
    )


def test_all_that_was_asked_for_came_to_the_edge(visited):
    found = visited(13)
    assert (found.verdict, found.seen) == (
        Verdict.PASS,
        "Chromium 1: wrote: none sister, unsaid sister, lax sister, strict sister",
    )


def test_a_request_that_never_came_shows_nothing(visited):
    """Not to have written is no merit of a cookie then."""
    found = visited(12)
    assert (found.verdict, found.reason) == (
        Verdict.UNKNOWN,
        "12 writes were answered, and 13 asked for",
    )


def test_where_the_check_is_on_nothing_is_asked(visited, monkeypatch):
    checked = SimpleNamespace(send=lambda *_, **__: SimpleNamespace(status_code=403))
    monkeypatch.setattr(foreign, "newcomer", lambda stage, way: checked)
    assert (visited(13).verdict, visited(13).seen) == (Verdict.UNKNOWN, "403")


def test_without_a_browser_it_says_where_one_comes_from(monkeypatch):
    monkeypatch.setattr(foreign, "find_browser", lambda: None)
    found = foreign.foreign_pages(SimpleNamespace())
    assert (found.verdict, "make browser" in found.reason) == (Verdict.UNKNOWN, True)
