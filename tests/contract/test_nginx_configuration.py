"""What `nginx -t` refuses, through the API, as hosts that are online or not."""

from typing import Any

import pytest

from tests.contract.client import Api, said, upstream_to
from tests.world import HOSTS, domain


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("# a comment", ""),
        ("client_max_body_size 10m;", ""),
        ('add_header X \'a;b{\';\nproxy_set_header Y "\\"";', ""),
        ("location /x { return 200 hi; }", ""),
        ("location / { return 200 hi; }", ""),
        ("if ($host = x) { return 404; }", ""),
        ("set $mine 1; add_header X $mine;", ""),
        ("types { text/css css; }", ""),
        ("include /data/*.conf;", ""),
        ("client_max_body_size 10m", 'directive "client_max_body_size" is not terminated by ";"'),
        ("foo bar;", 'unknown directive "foo"'),
        ("foo", 'unknown directive "foo"'),
        ("location /x { foo; }", 'unknown directive "foo"'),
        ("location /x {", 'location "/" is outside location "/x"'),
        ("location / {", 'unexpected end of file, expecting "}"'),
        ("}", '"location" directive is not allowed here'),
        ("{", 'unexpected "{"'),
        (";", 'unexpected ";"'),
        ("'", 'unexpected end of file, expecting ";" or "}"'),
        ('add_header X "a"b;', 'unexpected "b"'),
        ("server { }", '"server" directive is not allowed here'),
        ("proxy_pass http://a;", '"proxy_pass" directive is not allowed here'),
        ("worker_processes 4;", '"worker_processes" directive is not allowed here'),
        ("location /x;", 'directive "location" has no opening "{"'),
        ("client_max_body_size 10x;", '"client_max_body_size" directive invalid value'),
        ("proxy_read_timeout abc;", '"proxy_read_timeout" directive invalid value'),
        ("gzip maybe;", 'invalid value "maybe" in "gzip" directive, it must be "on" or "off"'),
        ("gzip on; gzip off;", '"gzip" directive is duplicate'),
        ("add_header X;", 'invalid number of arguments in "add_header" directive'),
        ("add_header X $nope;", 'unknown "nope" variable'),
        ("set mine 1;", 'invalid variable name "mine"'),
        ("allow host.test;", 'invalid parameter "host.test"'),
        ("include /nope.conf;", 'open() "/nope.conf" failed (2: No such file or directory)'),
        ("x" * 10_000 + ";", 'too long parameter "xxxxxxxxxx..." started'),
        ("location /r { }\nlocation /r { }", 'duplicate location "/r"'),
    ],
)
def test_advanced_configuration(api: Api, config: str, expected: str) -> None:
    assert said(api.host(domain("a"), advanced_config=config)) == expected


def test_many_lines_load_however_long_they_are_together(api: Api) -> None:
    assert said(api.host(domain("a"), advanced_config="# 90 KB of comments\n" * 4500)) == ""


URI_IN_EXPRESSION = '"proxy_pass" cannot have URI part in location given by regular expression, '


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ""),
        ({"path": "= /a"}, ""),
        ({"path": "~ ^/a"}, ""),
        ({"path": "~* \\.(png|jpg)$"}, ""),
        ({"path": "^~ /a", "forward_path": "/b"}, ""),
        ({"forward_host": "10.0.0.1/sub"}, ""),
        ({"forward_host": "[::1]"}, ""),
        ({"forward_host": "$host"}, ""),
        ({"path": "/"}, ""),
        ({"forward_path": "v1"}, 'invalid port in upstream "127.0.0.1:9v1"'),
        ({"path": "/a b"}, 'invalid location modifier "/a"'),
        ({"path": "a b c"}, 'invalid number of arguments in "location" directive'),
        ({"path": "/a;"}, 'directive "location" has no opening "{"'),
        ({"path": "~ ^/[0-9]{2}/"}, 'unknown directive "2}/"'),
        ({"forward_host": "nope.invalid"}, 'host not found in upstream "nope.invalid"'),
        ({"forward_host": "300.1.1.1"}, 'host not found in upstream "300.1.1.1"'),
        ({"forward_host": "a b"}, 'invalid number of arguments in "proxy_pass" directive'),
        ({"forward_host": "$nope"}, 'unknown "nope" variable'),
        ({"advanced_config": "foo;"}, 'unknown directive "foo"'),
        (
            {"advanced_config": "proxy_pass http://127.0.0.1:9;"},
            '"proxy_pass" directive is duplicate',
        ),
    ],
    ids=str,
)
def test_locations(api: Api, change: dict[str, Any], expected: str) -> None:
    location = {**upstream_to(9), "path": "/x", **change}

    assert said(api.host(domain("a"), locations=[location])) == expected


def test_an_expression_with_a_uri_is_refused(api: Api) -> None:
    for path in ("~ ^/a", "~* ^/a", "@named"):
        location = {**upstream_to(9), "path": path, "forward_path": "/x"}
        name = f"{len(api.rows(HOSTS))}.test"
        assert said(api.host(name, locations=[location])).startswith(URI_IN_EXPRESSION)


@pytest.mark.parametrize(
    ("first", "second", "duplicate"),
    [
        ("/x", "/x", True),
        ("/x", "^~ /x", True),
        ("=/x", "= /x", True),
        ("/x", "= /x", False),
        ("/x", "/x/", False),
        ("/x", "/X", False),
        ("~ /x", "~ /x", False),
    ],
)
def test_duplicate_locations(api: Api, first: str, second: str, duplicate: bool) -> None:
    locations = [{**upstream_to(9), "path": path} for path in (first, second)]

    assert said(api.host(domain("a"), locations=locations)) == (
        'duplicate location "/x"' if duplicate else ""
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("[::1]", ""),
        ("::1", ""),
        ("host/path", ""),
        ("http://x", ""),
        ("$host", ""),
        ("nope.invalid", ""),
        ("a b", ""),
        ('a"b', 'unexpected "b"'),
        ("$nope", 'unknown "nope" variable'),
        ("a$", "invalid variable name"),
        ("a${b", 'the closing bracket in "b" variable is missing'),
    ],
)
def test_forward_hosts(api: Api, host: str, expected: str) -> None:
    assert said(api.host(domain("a"), forward_host=host)) == expected
