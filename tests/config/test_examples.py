"""The examples load, and the JSON Schema agrees with loading about them."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trustme
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysync.config.entries import SECTIONS
from proxysync.config.json_schema import json_schema
from proxysync.config.load import ConfigError, load, load_text
from proxysync.config.models import AUTO, Settings
from proxysync.kinds.certificate import CertificateEntry
from proxysync.kinds.entry import Health, Validation
from proxysync.kinds.proxy import Location, ProxyEntry
from proxysync.model import Key
from proxysync.values import names, patterns, scalars, upstreams
from proxysync.values.invalid import InvalidValue

EXAMPLES = Path(__file__).parents[2] / "examples"
PATHS = [
    EXAMPLES / "minimal.yaml",
    EXAMPLES / "full.yaml",
    EXAMPLES / "directory",
    EXAMPLES / "compose" / "config" / "proxies.yaml",
]
VALIDATOR = jsonschema.Draft7Validator(json_schema())
START = "proxies:\n  media:\n    domains: [media.example.com]\n    upstream: http://x\n"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_an_example_loads_and_fits_the_schema(path: Path) -> None:
    config = load(path, {})
    assert config.resources
    assert not config.maybe_truncated
    for file in config.files:
        VALIDATOR.validate(yaml.safe_load(file.read_text()))


def test_the_full_example_has_certificates_once_their_files_are_there(tmp_path: Path) -> None:
    before, _, after = (EXAMPLES / "full.yaml").read_text().partition("# certificates:\n")
    whole = before + "certificates:\n" + after.replace("#   ", "  ")
    file = tmp_path / "full.yaml"
    file.write_text(whole)
    (tls := tmp_path / "tls").mkdir()
    ca = trustme.CA()
    pair = ca.issue_cert("*.example.net")
    (tls / "fullchain.pem").write_bytes(pair.cert_chain_pems[0].bytes())
    (tls / "chain.pem").write_bytes(ca.cert_pem.bytes())
    (tls / "privkey.pem").write_bytes(pair.private_key_pem.bytes())

    entries = {resource.key: resource.entry for resource in load(file, {}).resources}

    assert entries[Key("certificate", "wildcard")].covers == ("*.example.net",)
    VALIDATOR.validate(data := yaml.safe_load(whole))
    assert set(data["certificates"]["wildcard"]) == set(CertificateEntry.model_fields)


def test_the_schema_is_a_schema_of_its_dialect() -> None:
    schema = json_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)


def test_the_full_example_has_every_field_there_is() -> None:
    data = yaml.safe_load((EXAMPLES / "full.yaml").read_text())
    media = data["proxies"]["media"]
    assert set(data["settings"]) == set(Settings.model_fields)
    assert set(data["settings"]["validation"]) == {
        "mode",
        "tcp_timeout",
        "http_timeout",
        "resolver",
    }
    assert set(media) == set(ProxyEntry.model_fields)
    assert set(media["health"]) == set(Health.model_fields)
    assert set(media["validation"]) == set(Validation.model_fields)
    assert set(media["locations"][0]) == set(Location.model_fields)


def test_what_the_full_example_calls_default_is_the_default() -> None:
    settings = load(EXAMPLES / "full.yaml", {}).settings
    plain = settings.model_copy(
        update={
            "verify": AUTO,
            "validation": settings.validation.model_copy(update={"resolver": None}),
        }
    )
    assert plain == Settings()


def test_every_field_has_a_description_for_editors() -> None:
    def check(schema: dict[str, Any]) -> int:
        fields = schema.get("properties", {})
        assert all(field.get("description") for field in fields.values())
        return len(fields)

    schema = json_schema()
    proxies = schema["properties"]["proxies"]["additionalProperties"]
    assert check(proxies) == len(ProxyEntry.model_fields)
    assert sum(check(definition) for definition in schema["definitions"].values()) > 10


SPELLINGS = [
    "settings: null",
    "settings: {resync_interval: 300, max_delete: 5, stale_threshold_days: 0.5}",
    "settings: {resync_interval: 1h30m, max_delete: 12.5%, health: {interval: 500s}}",
    "settings: {validation: {mode: off, resolver: '10.0.0.1:53'}, verify: {url: 'http://x'}}",
    "settings:\n  prune: ${NOT:-true}",
    "defaults: {health: off, certificate: none, locations: [{path: /, upstream: 'http://x/a'}]}",
    "x-anything: [1, 2]",
    "vars: {a: x, B_2: 5, c: true}\nsnippets: {big-uploads: 'x;', '8': ''}",
    "vars:\nsnippets:",
    "vars: {up: 'http://x'}\n"
    + START.replace("http://x", "${up}")
    + "    advanced_config: '${NOT:-no}'",
    "snippets: {a: 'x;'}\n" + START + "    advanced_config: [a, 'y;']",
    START + "    advanced_config: []",
    START + "    health: 'off'",
    START + "    health: {expect_status: 200}",
    START + "    health: {expect_status: 200-399, enabled: null}",
    START + "    health: {expect_status: [200, '${NOT:-204}', 300-399]}",
    START + "    validation: {skip: [dns, http], mode: warn}",
    "proxies: {media: {domains: media.example.com, upstream: '${NOT:-http://x}'}}",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_schema_accepts_every_spelling_that_loads(spelling: str) -> None:
    source = spelling if "proxies" in spelling else f"{spelling}\n{START}"
    load_text(source, "proxies.yaml", {})
    VALIDATOR.validate(yaml.safe_load(source))


@pytest.mark.parametrize(
    "spelling",
    [
        "version: 2",
        "proxie: {}",
        "vars: {a: null}",
        "vars: {a: ''}",
        "vars: {a: 1.5}",
        "vars: {a-b: x}",
        "vars: [a]",
        "snippets: {a: null}",
        "snippets: {a: [x]}",
        "snippets: {'a b': x}",
        START + "    advanced_config: [5]",
        "settings: {health: off}",
        "settings: {max_delete: 0.3}",
        "settings: {resync_interval: soon}",
        "defaults: {domains: [a]}",
        "proxies: {media: {domains: [a]}}",
        "proxies: {media: {domains: [], upstream: 'http://x'}}",
        "proxies: {media: {domains: [a], upstream: x}}",
        "proxies: {'my media': {domains: [a], upstream: 'http://x'}}",
        START + "    force_ssl: 'yes'",
        START + "    certificate: 5",
        START + "    health: {expect_status: 99}",
        START + "    certificate: null",
        START + "    access_list:",
        START + "    colour: blue",
    ],
)
def test_the_schema_refuses_plain_mistakes_as_loading_does(spelling: str) -> None:
    with pytest.raises(ConfigError):
        load_text(spelling if "proxies" in spelling else f"{spelling}\n{START}", "p.yaml", {})
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(yaml.safe_load(spelling))


BAD = Path(__file__).parent / "bad"
UNSAYABLE = {
    "blank_against_a_default", "deeply_nested", "domain_in_two_proxies", "domain_twice_by_merge",
    "domain_twice_in_proxy", "duplicate_key", "duplicate_proxy", "duration_sexagesimal",
    "location_exact_with_cache_assets", "location_twice", "location_twice_with_modifier",
    "merge_twice", "names_differ_in_case", "no_proxies", "surrogate",
}  # fmt: skip
"""Bad files whose fault is between several places, or gone by the time that an editor looks."""


def test_the_schema_catches_all_that_loading_does_but_for_what_no_schema_can_say() -> None:
    taken = set()
    for path in sorted(BAD.glob("*.yaml")):
        try:
            data = yaml.safe_load(path.read_text(errors="surrogateescape"))
        except (yaml.YAMLError, ValueError):
            continue
        if VALIDATOR.is_valid(data):
            taken.add(path.stem)
    handed_over = {name for name in taken if name.startswith(("var", "snippet"))}
    assert taken - handed_over <= UNSAYABLE


TEXT = st.text("aZ0-_.*:/[]@ é$\\;{}#~=^1259", max_size=12)
TAKEN: list[tuple[Callable[[object], object], str, st.SearchStrategy[str]]] = [
    (names.domain, patterns.DOMAIN, TEXT),
    (names.domain, patterns.DOMAIN, st.from_regex(patterns.DOMAIN, fullmatch=True)),
    (upstreams.proxy_upstream, patterns.UPSTREAM, TEXT.map(lambda text: f"http://{text}")),
    (upstreams.location_upstream, patterns.LOCATION_UPSTREAM, TEXT.map(lambda t: f"HTTPs://{t}")),
    (upstreams.location_path, patterns.LOCATION_PATH, TEXT),
    (scalars.health_path, patterns.HEALTH_PATH, TEXT.map(lambda text: f"/{text}")),
    (scalars.resolver, patterns.RESOLVER, st.text("0159.:[]af", max_size=14)),
    (partial(scalars.duration, minimum=1.0), patterns.SECOND, st.text("0159.wdhms", max_size=8)),
    (scalars.expect_status, patterns.STATUSES, st.from_regex("[1-5][0-9]{2}(-[1-5][0-9]{2})?")),
    (scalars.max_delete, patterns.SHARE, st.from_regex("[0-9]{1,3}(\\.[0-9])?%", fullmatch=True)),
]


@pytest.mark.parametrize(("load", "pattern", "texts"), TAKEN, ids=lambda value: str(value)[:20])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_what_loads_fits_its_pattern(
    load: Callable[[object], object],
    pattern: str,
    texts: st.SearchStrategy[str],
    data: st.DataObject,
) -> None:
    text = data.draw(texts)
    try:
        load(text)
    except InvalidValue:
        return
    assert re.search(pattern, text)


@given(st.floats(0.001, 31_536_000.0))
def test_a_duration_is_said_in_words_that_mean_it(seconds: float) -> None:
    text = scalars.duration_text(seconds)
    assert scalars.parse_duration(text) == pytest.approx(seconds, abs=0.001)


def test_defaults_and_snippets_are_in_the_words_of_the_file() -> None:
    schema = json_schema()
    settings_ = schema["properties"]["settings"]["anyOf"][0]["properties"]
    assert settings_["resync_interval"]["default"] == "5m"
    assert settings_["health"]["default"] == {}, "its fields say their own"
    assert settings_["stale_threshold_days"]["default"] == 7
    for section in SECTIONS:
        (snippet,) = schema["properties"][section]["defaultSnippets"]
        (entry,) = snippet["body"].values()
        assert entry, f"{section} offers something to fill in"
