"""The OpenAPI schema is complete: it has every route of the URLconf, and each answers as it says."""

import jsonschema
import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, include, path
from django.urls.resolvers import RoutePattern

from tests.app.ways import PASSWORD, WAYS, Way

PUBLIC = ("api/", ".well-known/")
CONVERTED = "<int:pk>"


def routes_of(patterns, prefix=""):
    """Every route below these patterns, as the URLconf spells it."""
    for each in patterns:
        assert isinstance(each.pattern, RoutePattern)
        route = prefix + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route
        else:
            yield from routes_of(each.url_patterns, route)


def differing(schema, patterns):
    """The public paths that only one of the two has."""
    routes = (route for route in routes_of(patterns) if route.startswith(PUBLIC))
    return {f"/{route.replace(CONVERTED, '{id}')}" for route in routes} ^ set(schema["paths"])


@pytest.fixture
def schema(client):
    return client.get("/api/schema/").json()


def schema_of(schema, answer, method):
    """What the schema says of the body of this answer, None if it has none."""
    described = schema["paths"][answer.request["PATH_INFO"]][method]["responses"][str(answer.status_code)]
    return described.get("content", {}).get(answer.headers.get("Content-Type"), {}).get("schema")


def assert_described(schema, answer, *, method="post"):
    """The answer's status is in the schema, and its body as described there."""
    shape = schema_of(schema, answer, method)
    if shape is None:
        assert answer.content == b""
    else:
        jsonschema.validate(answer.json(), shape | {"components": schema["components"]})


def test_every_public_route_is_in_the_schema_and_nothing_else_is(schema):
    assert differing(schema, get_resolver().url_patterns) == set()


def test_a_route_that_nobody_described_is_noticed(schema):
    forgotten = path("api/", include([path("auth/", include([path("forgotten/", lambda request: None)]))]))
    patterns = [*get_resolver().url_patterns, forgotten]
    assert differing(schema, patterns) == {"/api/auth/forgotten/"}


def test_a_route_that_is_gone_is_noticed(schema):
    schema["paths"]["/api/gone/"] = {}
    assert differing(schema, get_resolver().url_patterns) == {"/api/gone/"}


def test_names_of_operations_are_unique(schema):
    names = [each["operationId"] for operations in schema["paths"].values() for each in operations.values()]
    assert len(set(names)) == len(names)


def test_every_operation_says_what_it_is_for(schema):
    silent = [
        f"{method} {route}"
        for route, operations in schema["paths"].items()
        for method, operation in operations.items()
        if not operation.get("description")
    ]
    assert silent == []


@pytest.mark.django_db
def test_every_operation_has_its_method_and_a_stranger_is_answered_as_it_says(schema):
    """A stranger with an empty hand: 405 would mean that the schema names a method that the view does not have."""
    stranger = Client(enforce_csrf_checks=True)
    wrong = []
    for route, operations in schema["paths"].items():
        for method, operation in operations.items():
            answer = stranger.generic(method.upper(), route.replace("{id}", "1"))
            if str(answer.status_code) not in operation["responses"]:
                wrong.append(f"{method} {route}: {answer.status_code}")
    assert wrong == []


@pytest.mark.parametrize("way", WAYS)
def test_a_life_of_an_account_is_answered_as_the_schema_says(way, db, settings):
    settings.PLAIN_TOKENS = "cookie" if way == "plain in cookies" else "header"
    schema = Client().get("/api/schema/").json()
    visitor = Way(way)
    member = {"username": "new.reader", "email": "new.reader@example.org", "password": PASSWORD}
    assert_described(schema, visitor.sign_up(**member))
    assert_described(schema, visitor.log_in("new.reader", "wrong"))
    assert_described(schema, visitor.log_in("new.reader"))
    assert_described(schema, visitor.me(), method="get")
    if way != "session":
        assert_described(schema, visitor.refresh())
        assert_described(schema, visitor.post("verify", token="nothing"))
        assert_described(schema, visitor.post("verify", token=visitor.access or access_cookie(visitor)))
    assert_described(schema, visitor.change_password(old="wrong"))
    assert_described(schema, visitor.change_password())
    assert_described(schema, visitor.log_in("new.reader", "another-staple-42"))
    assert_described(schema, visitor.log_out_everywhere())
    assert_described(schema, visitor.log_in("new.reader", "another-staple-42"))
    assert_described(schema, visitor.log_out())
    assert_described(schema, Way(way).me(), method="get")


def access_cookie(visitor):
    return visitor.client.cookies["serverlab_access"].value


def test_only_who_is_known_by_a_cookie_sends_a_csrf_token(schema, settings, client):
    def senders(found):
        return {
            route.split("/")[3]
            for route, operations in found["paths"].items()
            for operation in operations.values()
            if any(each["name"] == "X-CSRFToken" for each in operation.get("parameters", []))
        }

    assert senders(schema) == {"session"}
    settings.PLAIN_TOKENS = "cookie"
    assert senders(client.get("/api/schema/").json()) == {"session", "plain"}


def test_the_plain_way_takes_and_gives_the_shapes_of_the_one_with_drf(schema):
    """Pointers, not copies: a change of a serializer changes both."""
    for name in ("signup", "login", "refresh", "me", "password", "logout"):
        plain, drf = (operation_of(schema, f"/api/auth/{way}/{name}/") for way in ("plain", "jwt"))
        assert plain.get("requestBody") == drf.get("requestBody")
        assert content_when_well(plain) == content_when_well(drf)


def operation_of(schema, route):
    """The only operation of this route."""
    (operation,) = schema["paths"][route].values()
    return operation


def content_when_well(operation):
    """Status and content of the answer that is no refusal."""
    return [
        (status, each.get("content")) for status, each in operation["responses"].items() if status < "300"
    ]
