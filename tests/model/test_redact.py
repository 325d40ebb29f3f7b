"""Secrets in whatever shape a text may hold them."""

import html
import json
from urllib.parse import quote

import pytest

from proxysync.model.redact import redact, redact_text

SECRET = 'p"ä ss/w0rd&<tag>\\end'
KNOWN = {SECRET: "${TOKEN}"}


@pytest.mark.parametrize(
    "shape",
    [
        SECRET,
        SECRET.upper(),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        quote(SECRET),
        quote(SECRET, safe=""),
        html.escape(SECRET),
        SECRET.encode("unicode_escape").decode(),
    ],
)
def test_a_secret_is_found_in_every_shape(shape: str) -> None:
    assert redact_text(f"before {shape} after", KNOWN) == "before ${TOKEN} after"
    assert redact({shape: [shape]}, KNOWN) == {"${TOKEN}": ["${TOKEN}"]}


def test_a_secret_as_a_domain_is_found_in_punycode() -> None:
    assert redact_text("xn--bcher-kva.example", {"bücher.example": "${D}"}) == "${D}"


def test_each_line_and_word_of_a_secret_is_found_by_itself() -> None:
    secret = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nab\n"
    known = {secret: "${KEY}", "long-word-one; other": "${W}"}
    assert redact_text("- MIIEvQIBADANBg", known) == "- ${KEY}"
    assert redact_text('unknown directive "long-word-one"', known) == 'unknown directive "${W}"'
    assert redact_text("ab other", known) == "ab other"


def test_the_first_part_of_a_secret_that_was_cut_short_is_found() -> None:
    known = {"0123456789abcdef": "${T}"}
    assert redact_text("token 0123456789a… and so on", known) == "token ${T}… and so on"
    assert redact_text("0123456… is too little", known) == "0123456… is too little"


def test_the_longest_secret_wins() -> None:
    assert redact_text("a-b-c-d-e", {"a-b-c": "${A}", "a-b-c-d-e": "${B}"}) == "${B}"
