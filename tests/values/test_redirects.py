"""Where redirections send visitors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysync.values.invalid import InvalidValue
from proxysync.values.redirects import CODES, RedirectTarget, redirect_code, redirect_target


@pytest.mark.parametrize(
    ("text", "scheme", "rest"),
    [
        ("https://blog.example.com/new", "https", "blog.example.com/new"),
        ("HTTP://Blog.Example.com", "http", "blog.example.com"),
        ("blog.example.com", None, "blog.example.com"),
        ("blog.example.com.", None, "blog.example.com"),
        ("blog.example.com:8443/a?b=c&d=$host", None, "blog.example.com:8443/a?b=c&d=$host"),
        ("https://bücher.example/ü", "https", "xn--bcher-kva.example/ü"),
        ("localhost", None, "localhost"),
        ("http://10.0.0.5:81", "http", "10.0.0.5:81"),
    ],
)
def test_a_target_is_a_scheme_or_none_and_the_rest(
    text: str, scheme: str | None, rest: str
) -> None:
    target = redirect_target(text)
    assert target == RedirectTarget(scheme, rest)
    assert redirect_target(target) == target


@pytest.mark.parametrize(
    "text",
    [
        *("", "/new", "https://", "ftp://a.example", "*.a.example", "a b.example", "a;b.example"),
        *("a..example", "a.example/..", "a.example/x.", "a", "a{b}.example", 'a"b.example', "a\nb"),
        *("fd00::5", "https://user@a.example", "a'b", "a\\b", "-a.example", ".a.example"),
    ],
)
def test_what_npm_or_nginx_would_not_take_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        redirect_target(text)


@given(st.text(alphabet="ab.*:/?$ é-", max_size=30))
def test_nothing_reaches_npm_that_its_own_pattern_refuses(text: str) -> None:
    try:
        rest = redirect_target(text).rest
    except InvalidValue:
        return
    assert len(rest) >= 2
    assert "*" not in rest
    assert all(part for part in rest.split(".")), rest


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_one_with_which_nginx_redirects(code: int) -> None:
    assert redirect_code(code) == code


@pytest.mark.parametrize("code", [300, 305, 306, 200, "301", True, None, 301.0])
def test_another_code_is_refused(code: object) -> None:
    with pytest.raises(InvalidValue):
        redirect_code(code)
