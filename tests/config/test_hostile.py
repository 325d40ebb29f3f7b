"""Whatever a file holds, loading it ends soon, and in a Config or a ConfigError."""

import contextlib
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxysync.config import document
from proxysync.config.load import ConfigError, load_text

FULL = (Path(__file__).parents[2] / "examples" / "full.yaml").read_bytes()
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
GENEROUS = 10.0
"""Seconds of computing; the slowest of these takes about one."""

LAUGHS = "x-a: &a [l, l, l, l, l, l, l, l, l]\n" + "".join(
    f"x-{b}: &{b} [{', '.join(['*' + a] * 9)}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = f"x-a: &a {{{', '.join(f'k{i}: 1' for i in range(1000))}}}\n"
BOMBS = {
    "brackets": "[" * 300_000,
    "braces": "{" * 300_000,
    "lists": "- " * 300_000,
    "complex keys": "? " * 300_000,
    "blocks": "".join(" " * i + "a:\n" for i in range(1000)),
    "aliases": LAUGHS + "proxies: {a: *i}\n",
    "aliases as deep as they go": "x-0: &a0 [1]\n"
    + "".join(f"x-{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100)),
    "merges": MERGED + f"proxies: {{a: {{<<: [{', '.join(['*a'] * 10_000)}]}}}}\n",
    "many values": "proxies:\n  a:\n" + "".join(f"    k{i}: 1\n" for i in range(101_000)),
    "many unknown keys": "proxies:\n  a:\n" + "".join(f"    k{i}: 1\n" for i in range(8_000)),
    "long number": f"version: {'9' * 300_000}\nproxies: {{}}\n",
    "long duration": f"settings: {{resync_interval: '{'1' * 300_000}'}}\nproxies: {{}}\n",
    "long domain": f"proxies: {{a: {{domains: ['{'ü' * 300_000}'], upstream: http://x}}}}\n",
    "long host": f"proxies: {{a: {{domains: [a], upstream: 'http://{'a.' * 300_000}'}}}}\n",
    "variables": f"proxies: {{a: {{domains: [a], upstream: '{'${' * 150_000}'}}}}\n",
    "defaults": f"proxies: {{a: {{domains: [a], upstream: '{'${A:-' * 60_000}'}}}}\n",
    "vars": "vars:\n  v0: 0123456789\n"
    + "".join(f"  v{i}: ${{v{i - 1}}}${{v{i - 1}}}\n" for i in range(1, 40))
    + "proxies: {a: {domains: ['${v39}'], upstream: '${v38}'}}\n",
    "deep vars": "vars:\n"
    + "".join(f"  v{i}: ${{v{i + 1}}}\n" for i in range(5000))
    + "  v5000: x\nproxies: {}\n",
    "one var often": f"vars: {{v: {'x' * 100_000}}}\n"
    f"proxies: {{a: {{domains: [a], upstream: '{'${v}' * 100_000}'}}}}\n",
    "a ring of vars": "vars:\n"
    + "".join(f"  v{i}: ${{v{(i + 1) % 5000}}}\n" for i in range(5000))
    + "proxies: {}\n",
    "many unknown vars": f"vars: {{{', '.join(f'name{i}: x' for i in range(3_000))}}}\n"
    "proxies:\n"
    + "".join(f"  a{i}: {{domains: a, upstream: '${{nam{i}}}'}}\n" for i in range(2000)),
    "one snippet often": f"snippets: {{s: {'x' * 100_000};}}\n"
    f"proxies: {{a: {{domains: [a], advanced_config: [{'s, ' * 5_000}]}}}}\n",
    "one snippet in many": f"snippets: {{s: {'x' * 100_000};}}\nproxies:\n"
    + "".join(
        f"  a{i}: {{domains: [a{i}], upstream: 'http://x', advanced_config: [s, s]}}\n"
        for i in range(2000)
    ),
    "many unknown snippets": f"snippets: {{{', '.join(f's{i}: x' for i in range(10_000))}}}\n"
    f"proxies: {{a: {{advanced_config: [{', '.join(f'r{i}' for i in range(10_000))}]}}}}\n",
    "deep snippets": f"snippets: {{s: {'[' * 40}{']' * 40}}}\n"
    f"proxies: {{a: {{advanced_config: {'[' * 40}s{']' * 40}}}}}\n",
    "recursive": "proxies: &a {b: {c: *a}}\n",
    "recursive merge": "proxies: &a {<<: *a}\n",
    "surrogate": 'proxies: {a: {advanced_config: "\\ud800"}}\n',
}


BY_THE_WAY = (
    "many unknown keys",
    "one var often",
    "deep vars",
    "a ring of vars",
    "many unknown vars",
    "one snippet often",
    "one snippet in many",
    "many unknown snippets",
)
"""What harms, if at all, what comes after the parser: one parser is enough when time is short."""


@pytest.mark.parametrize(
    ("bomb", "loader"),
    [
        *((bomb, "CSafeLoader") for bomb in BOMBS),
        *(
            pytest.param(bomb, "SafeLoader", marks=[pytest.mark.long] * (bomb in BY_THE_WAY))
            for bomb in BOMBS
        ),
    ],
)
def test_a_bomb_is_a_clear_error_soon(
    bomb: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loader == "SafeLoader":
        monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
        if bomb == "many values":
            # The parser in Python needs a few seconds for the bytes alone.
            monkeypatch.setattr(document, "MAX_VALUES", 20_000)
    started = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load_text(BOMBS[bomb], "bomb.yaml", {})
    assert time.process_time() - started < GENEROUS
    assert len(str(caught.value)) < 500_000


def load_or_refuse(content: bytes) -> None:
    with contextlib.suppress(ConfigError):
        load_text(content, "some.yaml", {"HOME": "/"})


@RELAXED
@given(st.binary())
def test_any_bytes_load_or_are_refused(content: bytes) -> None:
    load_or_refuse(content)


@RELAXED
@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#?,~<$ \n\t01."))
def test_any_punctuation_loads_or_is_refused(text: str) -> None:
    load_or_refuse(b"proxies:\n" + text.encode())


@RELAXED
@given(st.integers(0, len(FULL)), st.integers(0, 40), st.one_of(st.binary(max_size=8), st.text()))
def test_a_good_file_with_a_hole_or_a_patch_loads_or_is_refused(
    start: int, length: int, patch: bytes | str
) -> None:
    new = patch.encode() if isinstance(patch, str) else patch
    load_or_refuse(FULL[:start] + new + FULL[start + length :])


@RELAXED
@given(st.integers(0, len(FULL) - 1))
def test_a_good_file_that_is_cut_short_is_refused_or_known_to_be_suspect(length: int) -> None:
    cut = FULL[:length]
    try:
        config = load_text(cut, "full.yaml", {})
    except ConfigError:
        return
    assert config.maybe_truncated or cut.endswith(b"\n")
