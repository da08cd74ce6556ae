"""The page's files: served by Django itself, kept by browsers, and free of whatever the content policy forbids."""

import re
from pathlib import Path

import pytest

from page.files import FILES, FOLDER

SCRIPTS = sorted(name for name in FILES if name.endswith(".js"))


def test_the_page_is_html_that_browsers_keep_and_ask_for_again(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.content == Path(FOLDER / "index.html").read_bytes()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Vary" not in answer.headers  # one page for everybody: no cookie decides


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_has_its_type_and_is_not_sent_twice(client, name):
    kinds = {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
    }
    first = client.get(f"/site/{name}")
    again = client.get(f"/site/{name}", headers={"If-None-Match": first.headers["ETag"]})
    changed = client.get(f"/site/{name}", headers={"If-None-Match": '"what it was before"'})
    assert first.headers["Content-Type"] == kinds[Path(name).suffix]
    assert (first.status_code, again.status_code, changed.status_code) == (200, 304, 200)
    assert (again.content, again.headers["Cache-Control"]) == (b"", "no-cache")
    assert first.content == changed.content == (FOLDER / name).read_bytes()


def test_two_files_never_share_an_etag():
    assert len({file.etag for file in FILES.values()}) == len(FILES)


@pytest.mark.parametrize(
    "name", ["", "nothing.js", "../views.py", "..%2Fviews.py", "%2Fetc%2Fpasswd", "page.js%00"]
)
def test_there_is_nothing_but_the_files(client, name):
    answer = client.get(f"/site/{name}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_the_page_is_read_and_nothing_else(client):
    assert client.head("/").status_code == 200
    assert client.post("/", {"username": "reader", "password": "by accident"}).status_code == 405


def test_what_the_page_asks_for_is_there():
    page = FILES["index.html"].content.decode()
    modules = "".join(FILES[name].content.decode() for name in SCRIPTS)
    wanted = set(re.findall(r'"/site/([^"]+)"', page)) | set(re.findall(r'from "\./([^"]+)"', modules))
    assert wanted <= set(FILES)
    assert wanted == set(FILES) - {"index.html"}


FORBIDDEN = {
    "a script or style in the markup": r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:",
    "another origin": r"https?://(?!www\.w3\.org/2000/svg)|(?:src|href)=\"//",
    "text that becomes markup": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
    "a place where tokens would outlive the page": r"localStorage|sessionStorage|indexedDB|document\.cookie",
}


def found_in(text):
    return [name for name, pattern in FORBIDDEN.items() if re.search(pattern, text)]


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_file_holds_what_the_content_policy_forbids_or_keeps_a_token(name):
    assert found_in(FILES[name].content.decode()) == []


def test_what_is_forbidden_would_be_found():
    planted = [
        "<p style='color: red'>",
        '<script src="https://cdn.example.org/x.js">',
        "item.innerHTML = name",
        "localStorage.token = access",
    ]
    assert [found_in(text) for text in planted] == [[name] for name in FORBIDDEN]


def test_every_label_and_every_reference_of_the_markup_has_its_element():
    page = FILES["index.html"].content.decode()
    ids = re.findall(r'\sid="([^"]+)"', page)
    referred = re.findall(r'\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"', page)
    asked = re.findall(r'byId\("([^"]+)"\)', "".join(FILES[name].content.decode() for name in SCRIPTS))
    assert len(ids) == len(set(ids))
    assert set(referred) | set(asked) <= set(ids)
