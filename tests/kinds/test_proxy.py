"""Proxy hosts in normal form, and names of certificates and access lists resolved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysync.config.load import load_text
from proxysync.kinds import KINDS
from proxysync.kinds.base import NONE_OWN
from proxysync.kinds.proxy import PROXY
from proxysync.kinds.references import (
    UnknownReferenceError,
    find_access_list,
    find_certificate,
)
from proxysync.model import AccessList, Certificate, Snapshot

FLAGS = ("ssl_forced", "http2_support", "hsts_enabled", "hsts_subdomains")


def flags(**fields: object) -> list[str]:
    result = PROXY.normalise({**dict.fromkeys(FLAGS, True), **fields})
    return [name for name in FLAGS if result[name]]


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"certificate_id": 0}, []),
        ({"certificate_id": None}, []),
        ({"certificate_id": 3}, list(FLAGS)),
        ({"certificate_id": 3, "ssl_forced": False}, ["http2_support"]),
        ({"certificate_id": 3, "hsts_enabled": False}, ["ssl_forced", "http2_support"]),
    ],
)
def test_tls_flags_stay_only_with_what_they_need(
    fields: dict[str, object], kept: list[str]
) -> None:
    assert flags(**fields) == kept


def test_what_versions_of_npm_write_differently_is_the_same() -> None:
    old = {"domain_names": ["B.example", "a.example"], "block_exploits": 1, "locations": None}
    new = {"domain_names": ["a.example", "b.example"], "block_exploits": True, "locations": []}
    assert PROXY.normalise(old) == PROXY.normalise(new)


def test_what_the_web_page_adds_to_a_location_does_not_matter() -> None:
    bare = {"path": "/x", "forward_scheme": "http", "forward_host": "h", "forward_port": 80}
    dressed = {**bare, "id": 1, "forward_path": "", "advanced_config": "", "forward_port": "80"}
    assert PROXY.normalise({"locations": [bare]}) == PROXY.normalise({"locations": [dressed]})


VALUES = st.none() | st.booleans() | st.integers(0, 9)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: VALUES for name, value in PROXY.defaults.items() if isinstance(value, bool)
        },
    ),
    st.lists(st.sampled_from(["a.example", "A.example", "*.b.example"])),
)
def test_normalising_twice_changes_nothing_more(
    switches: dict[str, object], domains: list[str]
) -> None:
    once = PROXY.normalise({**switches, "domain_names": domains, "certificate_id": 1})
    assert PROXY.normalise(once) == once


CERTIFICATES = (
    Certificate(1, "*.example.com", ("*.example.com", "example.com")),
    Certificate(2, "old", ("media.example.com",)),
    Certificate(3, "twice", ("x.example.org",)),
    Certificate(4, "twice", ("y.example.org",)),
)


@pytest.mark.parametrize(
    ("name", "npm_id"),
    [
        ("old", 2),
        ("OLD", 2),
        ("*.example.com", 1),
        ("media.example.com", 2),
        ("other.example.com", 1),
        ("y.example.org", 4),
    ],
)
def test_a_certificate_is_found_by_nice_name_or_by_a_domain_it_covers(
    name: str, npm_id: int
) -> None:
    assert find_certificate(name, CERTIFICATES) == npm_id


@pytest.mark.parametrize("name", ["twice", "nothing.example", "deep.down.example.com"])
def test_a_missing_or_ambiguous_certificate_lists_what_there_is(name: str) -> None:
    with pytest.raises(UnknownReferenceError, match=r'"\*\.example\.com"'):
        find_certificate(name, CERTIFICATES)


def test_access_lists_are_found_by_their_exact_name() -> None:
    lists = (AccessList(1, "lan"), AccessList(2, "staff"), AccessList(3, "staff"))
    assert find_access_list("lan", lists) == 1
    with pytest.raises(UnknownReferenceError, match="ambiguous"):
        find_access_list("staff", lists)
    with pytest.raises(UnknownReferenceError, match='"lan", "staff"'):
        find_access_list("LAN", lists)


def test_an_ambiguous_name_is_told_with_each_that_has_it_once() -> None:
    lists = (AccessList(2, "staff"), AccessList(1, "lan"), AccessList(3, "staff"))
    with pytest.raises(UnknownReferenceError) as caught:
        find_access_list("staff", lists)
    assert str(caught.value) == (
        'access list "staff" is ambiguous, for NPM has #2 "staff" and #3 "staff"; give each its '
        'own name in NPM; it also has: "lan"'
    )
    with pytest.raises(UnknownReferenceError) as caught:
        find_certificate("twice", CERTIFICATES)
    assert str(caught.value).count("x.example.org") == 1


@pytest.mark.parametrize(("enabled", "refused"), [("true", True), ("false", False)])
def test_an_entry_is_not_served_with_a_list_that_lets_everybody_in(
    enabled: str, refused: bool
) -> None:
    text = (
        "proxies: {a: {domains: [a.example], upstream: 'http://h', access_list: lan, "
        f"enabled: {enabled}}}}}\n"
    )
    (proxy,) = load_text(text, "f", {}).resources
    empty = PROXY.desired(
        proxy, Snapshot((), access_lists=(AccessList(7, "lan", is_empty=True),)), NONE_OWN
    )
    assert empty.fields["access_list_id"] == 7
    assert ("neither users nor clients" in (empty.problem or "")) is refused
    filled = PROXY.desired(proxy, Snapshot((), access_lists=(AccessList(7, "lan"),)), NONE_OWN)
    assert filled.problem is None


def test_what_is_off_needs_no_certificate_and_no_list_but_does_not_lose_them() -> None:
    text = (
        "proxies: {a: {domains: [a.example], upstream: 'http://h', access_list: lan, "
        "certificate: x.example, force_ssl: true, enabled: %s}}\n"
    )
    off, on = (
        PROXY.desired(load_text(text % enabled, "f", {}).resources[0], Snapshot(()), NONE_OWN)
        for enabled in ("false", "true")
    )
    assert (off.problem, set(off.unknown)) == (None, {"certificate_id", "access_list_id"})
    assert off.fields["ssl_forced"] is True
    assert 'NPM has no access list "lan"' in (on.problem or "")
    assert on.unknown == {}


def test_a_field_that_the_server_does_not_know_is_a_problem_only_if_it_is_asked_for() -> None:
    text = "proxies: {a: {domains: [a.example], upstream: 'http://h', trust_forwarded_proto: %s}}"
    old = Snapshot((), accepted={"proxy": frozenset(PROXY.defaults) - {"trust_forwarded_proto"}})
    problems = [
        PROXY.desired(load_text(text % value + "\n", "f", {}).resources[0], old, NONE_OWN).problem
        for value in ("true", "false")
    ]
    assert problems == [
        "this NPM does not know trust_forwarded_proto; it came with NPM 2.14.0",
        None,
    ]


def test_what_is_in_normal_form_is_not_brought_into_it_again() -> None:
    once = PROXY.normalise({"domain_names": ["B.example.com", "a.example.com"], "enabled": 1})
    assert PROXY.normalise(once) is once
    changed = PROXY.normalise({**once, "domain_names": ["C.example.com"]})
    assert changed["domain_names"] == ["c.example.com"], "a change is no normal form by itself"
    other = KINDS["redirection"].normalise(once)
    assert other == KINDS["redirection"].normalise(dict(once)), "nor is that of another kind"
