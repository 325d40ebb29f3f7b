"""The description of the API is true: real answers have the shapes that it tells of."""

import json
from typing import Any

from jsonschema import Draft202012Validator
from starlette.routing import Route

from proxysync.app.vitals import Vitals
from proxysync.config.api_settings import ApiSettings
from proxysync.config.environment import read_environment
from proxysync.demo.services import DemoService
from proxysync.web.application import ENDPOINTS
from proxysync.web.context import Context
from proxysync.web.openapi import document
from tests.web.conftest import TOKEN, Api, api_of
from tests.web.test_stream import data, listening
from tests.world import World, domain, eventually

HOSTILE = "<script>alert(1)</script>\"'`${x}\u202e\u2066\u0007\n" + "x" * 9_000
HIDDEN = {"/", "/static/{file}"}
"""The page, which is no part of the API."""


def strict(value: Any) -> Any:
    """The schema without room for keys that it does not tell of."""
    if isinstance(value, list):
        return [strict(item) for item in value]
    if not isinstance(value, dict):
        return value
    closed = {key: strict(item) for key, item in value.items()}
    if "properties" in value and "required" in value:
        closed.setdefault("additionalProperties", False)
    return closed


def schema_of(path: str, method: str, status: int) -> Any:
    told = document()["paths"][path][method]["responses"][str(status)]
    root = {"components": strict(document()["components"])}
    return {**root, **told["content"]["application/json"]["schema"]}


def fits(api: Api, path: str, told_as: str = "", method: str = "get", **more: Any) -> Any:
    answer = api.ask(method.upper(), path, **more)
    schema = schema_of(told_as or path.partition("?")[0], method, answer.status_code)
    value = answer.json()
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)
    return value


def test_every_path_and_method_is_described(house: World) -> None:
    env = read_environment(house.env, overrides={})
    context = Context(ApiSettings("127.0.0.1", 0), env, house.env, Vitals())
    found: dict[str, set[str]] = {}
    for endpoint in ENDPOINTS:
        for route in endpoint.routes(context):
            assert isinstance(route, Route)
            found.setdefault(route.path, set()).update(route.methods or ())
    context.close()
    told = {path: set(map(str.upper, of)) for path, of in document()["paths"].items()}
    assert {p: m - {"HEAD"} for p, m in found.items() if p not in HIDDEN} == told


def test_answers_are_as_they_are_described(house: World, services: list[DemoService]) -> None:
    env = {"PROXYSYNC_API_TOKEN": TOKEN, "PROXYSYNC_API_WRITE": "1"}
    with api_of(house, PROXYSYNC_API_VALIDATE_LOCAL="1", **env) as api:
        eventually(lambda: "proxy.blocked" in house.event_names())
        eventually(lambda: api.get("/api/health")["entries"])
        for path in (
            "/api/proxies",
            "/api/proxies/all",
            "/api/resources",
            "/api/resources/all",
            "/api/health",
            "/api/about",
            "/api/plan",
            "/api/events?limit=1000",
            "/api/history",
            "/api/openapi.json",
            "/healthz",
            "/readyz",
        ):
            fits(api, path)
        fits(api, "/api/proxies/one", "/api/proxies/{name}")
        fits(api, "/api/proxies/none", "/api/proxies/{name}")
        fits(api, "/api/resources/none", "/api/resources/{kind}")
        fits(api, "/api/resources/redirection/old", "/api/resources/{kind}/{name}")
        fits(api, "/api/resources/proxy/one/health", "/api/resources/{kind}/{name}/health")
        fits(api, "/api/history/1", "/api/history/{run}")

        bad = {"name": "bad", "domains": [domain("bad")], "upstream": "http://127.0.0.1:9"}
        good = {**bad, "upstream": services[0].url, "note": HOSTILE}
        check = "/api/proxies/validate"
        fits(api, check, method="post", json={**good, "locations": [{"path": "/a"}]})
        for hostile in ({**good, "domains": [HOSTILE]}, {**good, HOSTILE: HOSTILE}):
            told = fits(api, check, method="post", json=hostile)
            assert told["problems"]
        fits(api, "/api/proxies", method="post", json=bad)
        fits(api, "/api/proxies", method="post", json={**good, "name": HOSTILE})
        fits(api, "/api/proxies", method="post", json={**good, "upstream": HOSTILE})
        with listening(api, "?name=bad") as stream:
            next(stream)
            note = {**good, "note": f"{HOSTILE[:28]}\u202e'\"`"}
            made = fits(api, "/api/proxies?wait=30s", method="post", json=note)
            assert made.get("apply", made)["outcome"] == "applied", made
            assert json.dumps(next(data(stream)))
        shown = fits(api, "/api/proxies/bad", "/api/proxies/{name}")
        assert shown["definition"]["note"] == note["note"]
        put = fits(api, "/api/proxies/bad", "/api/proxies/{name}", "put", json=bad)
        assert "tcp check" in put["error"]["message"]
