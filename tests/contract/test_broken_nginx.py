"""What NPM does while `nginx -t` fails for all: 500, after the row was changed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.client import LISTS, REDIRECTIONS, Api, upstream_to
from tests.world import HOSTS, domain

A, B = domain("a"), domain("b")

pytestmark = pytest.mark.every_version


@pytest.fixture
def served(api: Api, upstream: int) -> dict[str, Any]:
    """A site that is up before anything is broken."""
    api.host(B, forward_port=upstream)
    return api.host(A, forward_port=upstream)


@pytest.fixture
def mend(api: Api, served: dict[str, Any]) -> Iterator[Callable[[], None]]:
    """Breaks the file of some host, and gives what repairs it."""
    access = api.access_list()
    culprit = api.host(domain("culprit"), access_list_id=access)
    bad = {"clients": [{"address": "999.1.1.1", "directive": "deny"}]}
    status = api.call("PUT", f"{LISTS}/{access}", bad).status_code
    assert status == (500 if api.version >= (2, 11, 0) else 200)

    def mend() -> None:
        if api.read(HOSTS, culprit["id"])["enabled"]:
            api.act(HOSTS, culprit["id"], "disable")

    yield mend
    mend()


def test_post_leaves_a_row_that_nginx_does_not_serve(api: Api, mend: Callable[[], None]) -> None:
    body = {**upstream_to(9), "domain_names": [domain("new")]}

    assert api.refused("POST", HOSTS, body) == (500, "Internal Error")

    row = next(row for row in api.rows(HOSTS) if row["domain_names"] == [domain("new")])
    assert row["meta"] == {}
    assert api.is_default(domain("new"))
    again = api.refused("POST", HOSTS, body)
    assert again == (400, f"{domain('new')} is already in use")


def test_put_changes_the_row_only(
    api: Api, served: dict[str, Any], mend: Callable[[], None]
) -> None:
    assert api.call("PUT", f"{HOSTS}/{served['id']}", {"forward_port": 1}).status_code == 500

    row = api.read(HOSTS, served["id"])
    assert (row["forward_port"], row["meta"]["nginx_online"]) == (1, True)
    assert api.visit(A).json()["path"] == "/"
    mend()
    assert api.visit(A).json()["path"] == "/"
    api.put(HOSTS, served["id"], forward_port=1)
    assert api.visit(A).status_code == 502


@pytest.mark.parametrize(("method", "tail"), [("POST", "/disable"), ("DELETE", "")])
def test_a_removed_site_is_served_on(
    api: Api, served: dict[str, Any], mend: Callable[[], None], method: str, tail: str
) -> None:
    assert api.call(method, f"{HOSTS}/{served['id']}{tail}").status_code == 500

    rows = [row for row in api.rows(HOSTS) if row["id"] == served["id"]]
    assert [bool(row["enabled"]) for row in rows] == ([False] if tail else [])
    assert api.visit(A).json()["path"] == "/"
    mend()
    assert api.is_default(A)


def test_enable_changes_the_row_only(
    api: Api, served: dict[str, Any], mend: Callable[[], None]
) -> None:
    api.call("POST", f"{HOSTS}/{served['id']}/disable")

    assert api.call("POST", f"{HOSTS}/{served['id']}/enable").status_code == 500

    assert api.read(HOSTS, served["id"])["enabled"]
    mend()
    assert api.is_default(A)


def test_other_types_of_host_fail_too(api: Api, mend: Callable[[], None]) -> None:
    target = {"forward_scheme": "https", "forward_domain_name": "to.example"}
    body = {"domain_names": [domain("r")], **target, "forward_http_code": 301}

    assert api.call("POST", REDIRECTIONS, body).status_code == 500
    assert [row["meta"] for row in api.rows(REDIRECTIONS)] == [{}]


def test_nothing_else_fails(api: Api, served: dict[str, Any], mend: Callable[[], None]) -> None:
    assert api.call("GET", HOSTS).status_code == 200
    assert api.call("PUT", f"{HOSTS}/{served['id']}", {"forward_port": 0}).status_code == 400


def test_the_culprit_itself_can_be_removed_and_not_updated(
    api: Api, served: dict[str, Any], mend: Callable[[], None]
) -> None:
    [culprit] = [row for row in api.rows(HOSTS) if domain("culprit") in row["domain_names"]]
    path = f"{HOSTS}/{culprit['id']}"

    assert api.call("PUT", path, {"access_list_id": 0}).status_code == 500
    assert api.call("POST", f"{path}/disable").status_code == 200

    assert api.put(HOSTS, served["id"], forward_port=1)["meta"]["nginx_online"] is True
