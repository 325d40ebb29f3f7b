"""Domains, upstreams and paths: what is right is normalised once, all else is refused."""

import re
from collections.abc import Callable
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxysync.model import Upstream
from proxysync.values import names as names_of_values
from proxysync.values.invalid import InvalidValue
from proxysync.values.names import domain
from proxysync.values.upstreams import location_path, location_upstream, proxy_upstream

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=4).map(".".join).filter(lambda n: not n[-1].isdigit())
hosts = st.one_of(
    names,
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address.compressed}]"),
)
paths = st.from_regex(r"(/[a-zA-Z0-9._~%&=+,:-]{0,10}){0,3}", fullmatch=True)
upstreams = st.builds(
    Upstream, st.sampled_from(["http", "https"]), hosts, st.integers(1, 65535), paths
)
domains = st.builds(str.__add__, st.sampled_from(["", "*."]), names)
anything = st.one_of(
    st.text(),
    st.text(alphabet="ab.*-_:/[]@%$ 019ßÜ。＊\u200d\n"),
    st.builds(str.__add__, st.sampled_from(["http://", "https://", "*.", "~ "]), st.text()),
)


@RELAXED
@given(domains)
def test_a_normal_domain_stays_as_it_is(name: str) -> None:
    assert domain(name) == name
    assert domain(name.upper() + ".") == name


@RELAXED
@given(st.one_of(domains, st.from_regex(names_of_values._PLAIN_DOMAIN, fullmatch=True)))
def test_what_is_taken_at_a_glance_is_what_stays_as_it_is_by_a_long_look(text: str) -> None:
    assert domain(text) == text
    with patch.object(names_of_values, "_PLAIN_DOMAIN", re.compile(r"(?!)")):
        assert domain(text) == text


@RELAXED
@given(upstreams)
def test_an_upstream_is_read_back_from_its_own_text(upstream: Upstream) -> None:
    assert location_upstream(str(upstream)) == upstream


@RELAXED
@given(upstreams)
def test_an_upstream_of_a_proxy_has_no_path(upstream: Upstream) -> None:
    if upstream.path not in ("", "/"):
        with pytest.raises(InvalidValue, match="path"):
            proxy_upstream(str(upstream))
    else:
        assert str(proxy_upstream(str(upstream))) == str(upstream).removesuffix("/")


@RELAXED
@given(anything, st.sampled_from([domain, location_path]))
def test_normalising_twice_is_normalising_once(text: str, read: Callable[[object], str]) -> None:
    try:
        once = read(text)
    except InvalidValue:
        return
    assert read(once) == once
    assert not set(once) & set("\n\r\t\0;{}\"'")


@RELAXED
@given(anything)
def test_any_text_is_an_upstream_in_normal_form_or_refused(text: str) -> None:
    try:
        once = location_upstream(text)
    except InvalidValue:
        return
    assert location_upstream(str(once)) == once
    assert not set(str(once)) & set(" \n\t\0;{}\"'$\\")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Media.Example.COM", "media.example.com"),
        ("media.example.com.", "media.example.com"),
        ("*.Example.com", "*.example.com"),
        ("*.com", "*.com"),
        ("localhost", "localhost"),
        ("_", "_"),
        ("my_host.lan", "my_host.lan"),
        ("10.0.0.5", "10.0.0.5"),
        ("münchen.example.com", "xn--mnchen-3ya.example.com"),
        ("*.Bücher.example", "*.xn--bcher-kva.example"),
        ("my_host.bücher.example", "my_host.xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        (".".join(["a" * 63] * 3 + ["b" * 61]), ".".join(["a" * 63] * 3 + ["b" * 61])),
    ],
)
def test_a_domain_is_lower_case_punycode_without_a_last_dot(written: str, read: str) -> None:
    assert domain(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://10.0.0.5:8096", "http://10.0.0.5:8096"),
        ("HTTP://Jellyfin", "http://jellyfin:80"),
        ("https://App.lan/", "https://app.lan:443"),
        ("http://my_container:3000", "http://my_container:3000"),
        ("https://[FD00:0:0::5]", "https://[fd00::5]:443"),
        ("http://[::1]:8096/", "http://[::1]:8096"),
        ("http://bücher.lan", "http://xn--bcher-kva.lan:80"),
    ],
)
def test_an_upstream_gets_its_port_and_a_host_in_normal_form(written: str, read: str) -> None:
    assert str(proxy_upstream(written)) == read


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10.0.0.5:8096", "http://10.0.0.5:8096"),
        ("//jellyfin:8096", "http://jellyfin:8096"),
        ("nas:443", "https://nas:443"),
        ("::1", "http://[::1]"),
        ("::1:8096", "http://[::1]:8096"),
        ("http:10.0.0.5", "http://10.0.0.5"),
    ],
)
def test_an_upstream_that_lacks_only_its_scheme_is_shown_mended(written: str, meant: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        proxy_upstream(written)
    assert caught.value.hint == f"did you mean {meant}?"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://::1:8096", "http://[::1]:8096"),
        ("http://fd00::5:28096", "http://[fd00::5]:28096"),
        ("https://fd00::cafe", "https://[fd00::cafe]"),
        ("http://2001:db8:0:0:0:0:0:1", "http://[2001:db8:0:0:0:0:0:1]"),
        ("http://2001:db8:0:0:0:0:0:1:80", "http://[2001:db8:0:0:0:0:0:1]:80"),
    ],
)
def test_an_address_without_brackets_keeps_its_port(written: str, meant: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        proxy_upstream(written)
    assert caught.value.hint == f"did you mean {meant}?"


nearly = st.one_of(
    anything,
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "http://", "//", "ftp://", "http:", "https://"]),
        st.one_of(st.ip_addresses(v=6).map(str), st.ip_addresses(v=4).map(str), names),
        st.one_of(st.just(""), st.integers(0, 70000).map(lambda port: f":{port}")),
        st.sampled_from(["", "/", "/a", "/a b", "/a;b", "?x", "." + "a" * 70]),
    ),
)


@RELAXED
@given(nearly, st.sampled_from([domain, location_path, location_upstream, proxy_upstream]))
def test_what_is_suggested_would_be_taken(text: str, read: Callable[[object], object]) -> None:
    try:
        read(text)
    except InvalidValue as error:
        if error.hint and error.hint.startswith("did you mean "):
            meant = error.hint.removeprefix("did you mean ").removesuffix("?")
            read(meant[1:-1] if meant.startswith('"') else meant)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/", "/"),
        ("/api", "/api"),
        ("=/x", "= /x"),
        ("=   /x", "= /x"),
        ("^~ /x", "^~ /x"),
        ("~ \\.php$", "~ \\.php$"),
        ("~*\\.php$", "~* \\.php$"),
    ],
)
def test_a_location_path_has_one_blank_after_its_modifier(written: str, read: str) -> None:
    assert location_path(written) == read
