"""Domain names: their order, whose they are, and which site a visitor gets."""

import pytest

from tests.contract.client import DEAD_HOSTS, Api, upstream_to
from tests.world import HOSTS, SUFFIX, domain


@pytest.mark.every_version
def test_names_are_sorted_by_code_unit(api: Api) -> None:
    given = [domain(name) for name in ("b", "ä", "B", "_", "a")]

    row = api.host(*given)

    assert row["domain_names"] == [domain(name) for name in ("B", "_", "a", "b", "ä")]


@pytest.mark.every_version
def test_a_name_is_taken_in_any_case_and_by_any_type_of_host(api: Api) -> None:
    host = api.host(domain("a"), enabled=False)
    api.redirection(domain("r"))
    api.dead_host(domain("d"))

    for name in (domain("A"), domain("r").upper(), domain("d")):
        body = {**upstream_to(9), "domain_names": [domain("free"), name]}
        assert api.refused("POST", HOSTS, body) == (400, f"{name} is already in use")
    row = api.put(HOSTS, host["id"], domain_names=[domain("a"), domain("A")])
    assert row["domain_names"] == [domain("A"), domain("a")]
    taken = (400, f"{domain('A')} is already in use")
    assert api.refused("POST", DEAD_HOSTS, {"domain_names": [domain("A")]}) == taken


@pytest.mark.every_version
def test_a_wildcard_clashes_with_the_same_wildcard_only(api: Api) -> None:
    api.host(domain("*.x"))

    assert api.host(domain("a.x"))["meta"]["nginx_online"]
    body = {**upstream_to(9), "domain_names": [domain("*.X")]}
    assert api.call("POST", HOSTS, body).status_code == 400


@pytest.mark.since("2.12.0")
@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("a.x", "exact"),
        ("b.x", "*.x"),
        ("c.b.x", "*.x"),
        ("d.y.x", "*.y.x"),
        ("x", "default"),
        ("dot", ".dot"),
        ("sub.dot", ".dot"),
    ],
)
def test_the_best_name_wins(api: Api, host: str, site: str) -> None:
    for label, name in (("*.x", "*.x"), ("exact", "a.x"), ("*.y.x", "*.y.x"), (".dot", ".dot")):
        api.host(domain(name), advanced_config=f'return 200 "{label}";')

    text = api.visit(domain(host)).text

    assert text == site or (site == "default" and "Congratulations" in text)


@pytest.mark.since("2.12.0")
def test_a_wildcard_may_be_at_the_end(api: Api) -> None:
    api.host(f"www.{SUFFIX}.*", advanced_config="return 200 end;")

    assert api.visit(f"www.{SUFFIX}.z").text == "end"


@pytest.mark.since("2.12.0")
@pytest.mark.parametrize(
    ("name", "online"),
    [
        *((name, True) for name in ("*.x", "www.*", ".x", "x.", "a_b", "_", "-a", "1.2.3.4")),
        *((name, True) for name in (domain("ü"), "$host", "a[b]", "a" * 300, "a\tb")),
        *((name, False) for name in ("*", "*.*.x", "foo*.x", "a*b", "a..b", "a\nb", "*x")),
    ],
)
def test_what_nginx_takes_for_a_name(api: Api, name: str, online: bool) -> None:
    assert api.host(name)["meta"]["nginx_online"] is online


@pytest.mark.before("2.11.0")
def test_fifteen_names_at_most_and_no_inner_wildcard(api: Api) -> None:
    bad = ("a.*.b", "*.x", "a..b")
    for names in ([domain(f"{n}") for n in range(16)], *([name] for name in bad)):
        body = {**upstream_to(9), "domain_names": names}
        assert api.call("POST", HOSTS, body).status_code == 400
    assert api.host(domain("*.x"))["meta"]["nginx_online"]
