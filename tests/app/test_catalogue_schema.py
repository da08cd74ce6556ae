"""The OpenAPI schema and its page: complete, right in what can be checked here, and without the network."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

LOCAL = re.compile(r"(?:href|src)=\"/static/([^\"]+)\"")


@pytest.fixture
def schema(client):
    """What is served."""
    return client.get("/api/schema/").json()


def test_the_schema_is_valid_and_nothing_in_it_was_guessed(tmp_path):
    """A warning of the generator is a failure."""
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_it_is_open_to_everybody_and_json(client):
    """It holds no secret."""
    answer = client.get("/api/schema/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/vnd.oai.openapi+json")


def test_parameters_of_lists_say_what_they_take(schema):
    """Enumerations, bounds and patterns."""
    described = {each["name"]: each["schema"] for each in schema["paths"]["/api/books/"]["get"]["parameters"]}
    assert sorted(described["strategy"]["enum"]) == ["naive", "prefetch_related", "select_related"]
    assert described["include"]["items"]["enum"] == ["author", "publishers"]
    assert described["page_size"] == {"type": "integer", "minimum": 1, "maximum": 500}
    assert described["published__gte"] == {"type": "string", "format": "date"}
    assert described["author"] == {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
    assert re.match(described["ordering"]["pattern"], "-title,id")


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/api/books/", "200 400 401 403 404 406"),
        ("post", "/api/books/", "201 400 401 403 404 406 409 413 415 422"),
        ("delete", "/api/books/{id}/", "204 400 401 403 404 406 409 422"),
        ("get", "/api/writes/", "200 400 401 403 404 406"),
    ],
)
def test_an_operation_names_its_refusals(schema, method, path, statuses):
    """As JSON objects."""
    answers = schema["paths"][path][method]["responses"]
    assert " ".join(sorted(answers)) == statuses
    assert answers["400"]["content"]["application/json"]["schema"]["type"] == "object"


def test_only_writes_of_the_catalogue_take_a_key(schema):
    """A list, a log-in and a ticket do not."""
    with_a_key = {
        f"{method} {path}"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", []))
    }
    assert with_a_key == {
        f"{method} /api/{kind}/{rest}"
        for kind in ("authors", "books", "publishers")
        for method, rest in (("post", ""), ("put", "{id}/"), ("patch", "{id}/"), ("delete", "{id}/"))
    }


def test_the_page_needs_nothing_from_outside(client):
    """Every file it names is ours and comes with the image."""
    page = client.get("/api/docs/").content.decode()
    files = LOCAL.findall(page)
    assert len(files) == 5
    assert "<style" not in page
    assert [name for name in files if finders.find(name) is None] == []
    assert "http:" not in page
    assert "https:" not in page
