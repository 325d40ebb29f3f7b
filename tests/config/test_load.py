"""A good file becomes a Config: values, defaults, variables."""

from typing import Any

import pytest

from proxysync.config.errors import MAX_PROBLEMS
from proxysync.config.load import ConfigError, load_text
from proxysync.config.models import AUTO, Config, Settings
from proxysync.kinds.entry import Health, Resource
from proxysync.kinds.proxy import ProxyEntry
from proxysync.model import Upstream
from proxysync.model.key import Key
from proxysync.model.position import Position
from proxysync.values.limits import DeleteLimit
from proxysync.values.scalars import ExpectStatus

MEDIA = """\
proxies:
  media:
    domains: [media.example.com]
    upstream: http://10.0.0.5:8096
"""


def variables(given: dict[str, str]) -> dict[str, str]:
    """Handed over: NAME as a plain variable, SECRET_NAME as the secret NAME."""
    return {
        f"PROXYSYNC_{name if name.startswith('SECRET_') else f'VAR_{name}'}": value
        for name, value in given.items()
    }


def text(source: str, **given: str) -> Config:
    return load_text(source, "proxies.yaml", variables(given))


def only(source: str, **environ: str) -> ProxyEntry:
    (resource,) = text(source, **environ).resources
    assert isinstance(resource.entry, ProxyEntry)
    return resource.entry


def media(*lines: str, **environ: str) -> ProxyEntry:
    """The proxy of the smallest file with these lines added to it."""
    return only(MEDIA + "".join(f"    {line}\n" for line in lines), **environ)


def settings(line: str) -> Settings:
    return text(f"settings:\n  {line}\n" + MEDIA).settings


def message(source: str | bytes, **given: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_text(source, "proxies.yaml", variables(given))
    return str(caught.value)


def test_the_least_file_gives_every_field_its_default() -> None:
    config = text(MEDIA)
    assert config.settings == Settings()
    (resource,) = config.resources
    assert resource == Resource(
        Key("proxy", "media"),
        ProxyEntry(domains=("media.example.com",), upstream=Upstream("http", "10.0.0.5", 8096)),
        Position("proxies.yaml", 2, 3),
    )
    assert not config.maybe_truncated
    assert config.files == ()


def test_the_defaults_are_those_of_the_design() -> None:
    default = Settings()
    assert default.validation.mode == "enforce"
    assert (default.validation.tcp_timeout, default.validation.http_timeout) == (5.0, 10.0)
    assert (default.health.interval, default.resync_interval) == (300.0, 300.0)
    assert (default.health.failure_threshold, default.health.success_threshold) == (2, 1)
    assert (default.stale_threshold_days, default.drift, default.prune) == (7, "fix", True)
    assert (default.max_delete, default.instance) == (DeleteLimit(share=0.3), "default")
    assert default.verify == AUTO


def test_proxies_may_be_none_at_all_if_the_file_says_so() -> None:
    assert text("proxies: {}\n").resources == ()


def test_proxies_keep_the_order_of_the_file() -> None:
    source = "proxies:\n" + "".join(
        f"  {name}: {{domains: [{name}.example.com], upstream: http://x}}\n" for name in "zab"
    )
    assert [proxy.name for proxy in text(source).resources] == ["z", "a", "b"]


def test_a_model_cannot_be_changed_and_knows_no_other_field() -> None:
    proxy = only(MEDIA)
    with pytest.raises(ValueError, match="frozen"):
        proxy.enabled = False
    with pytest.raises(ValueError, match="extra"):
        Health(pth="/")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h", 3600),
        ("7d", 604800),
        ("1h30m", 5400),
        ("2w", 14 * 86400),
        ("1w1d", 8 * 86400),
        ("1500ms", 1.5),
        ("90", 90),
        ("1.5", 1.5),
        ('"2.5m"', 150),
    ],
)
def test_a_duration_is_a_text_with_units_or_a_number_of_seconds(
    written: str, seconds: float
) -> None:
    assert settings(f"resync_interval: {written}").resync_interval == seconds


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("30%", DeleteLimit(share=0.3)),
        ('"12.5%"', DeleteLimit(share=0.125)),
        ("30.5%", DeleteLimit(share=0.305)),
        ("100%", DeleteLimit(share=1.0)),
        ("5", DeleteLimit(count=5)),
        ("0", DeleteLimit(count=0)),
        ("0%", DeleteLimit(share=0.0)),
    ],
)
def test_a_delete_limit_is_a_share_or_a_count(written: str, limit: DeleteLimit) -> None:
    assert settings(f"max_delete: {written}").max_delete == limit


@pytest.mark.parametrize(
    ("written", "shown", "good", "bad"),
    [
        ("200", "200", [200], [199, 201]),
        ("200-399", "200-399", [200, 301, 399], [199, 400]),
        ('"204"', "204", [204], [200]),
        ('[404, 200, "201-204"]', "200-204, 404", [200, 203, 404], [205, 403]),
    ],
)
def test_an_expected_status_is_one_a_range_or_a_list(
    written: str, shown: str, good: list[int], bad: list[int]
) -> None:
    expected = media(f"health: {{expect_status: {written}}}").health.expect_status
    assert isinstance(expected, ExpectStatus)
    assert str(expected) == shown
    assert all(expected.matches(status) for status in good)
    assert not any(expected.matches(status) for status in bad)


@pytest.mark.parametrize("written", ["off", "false", '"off"', "{enabled: false}", "no"])
def test_health_can_be_off(written: str) -> None:
    assert not media(f"health: {written}").health.enabled


def test_health_takes_from_the_settings_what_it_leaves_out() -> None:
    source = "settings: {health: {interval: 1m, failure_threshold: 9}}\n" + MEDIA
    assert only(source).health == Health(interval=60.0, failure_threshold=9)
    proxy = only(source + "    health: {interval: 2m}\n")
    assert proxy.health == Health(interval=120.0, failure_threshold=9)


@pytest.mark.parametrize("written", ["off", '"off"'])
def test_the_word_off_needs_no_quotes(written: str) -> None:
    assert media(f"validation: {{mode: {written}}}").validation.mode == "off"
    assert settings(f"validation: {{mode: {written}}}").validation.mode == "off"


def test_the_json_of_a_proxy_does_not_depend_on_the_order_of_a_set() -> None:
    one = media("validation: {skip: [dns, tcp, http]}")
    other = media("validation: {skip: [http, tcp, dns]}")
    assert one.model_dump_json() == other.model_dump_json()
    assert '"skip":["dns","http","tcp"]' in one.model_dump_json()


def test_texts_that_yaml_reads_as_something_else_stay_texts() -> None:
    proxy = media("access_list: 2026-01-31", 'certificate: "5"', "advanced_config: 1:30")
    assert proxy.access_list == "2026-01-31"
    assert proxy.certificate == "5"
    assert proxy.advanced_config == "1:30"


def test_keys_that_yaml_reads_as_something_else_are_names() -> None:
    source = "proxies:\n" + "".join(
        f"  {name}: {{domains: [d{i}.example.com], upstream: http://x}}\n"
        for i, name in enumerate(("no", "8080", "1.5", "null"))
    )
    assert [proxy.name for proxy in text(source).resources] == ["no", "8080", "1.5", "null"]


@pytest.mark.parametrize("none", ["none", "None", "NONE", '"none"'])
def test_an_entry_wins_over_the_defaults(none: str) -> None:
    source = (
        "defaults: {certificate: a, access_list: b, force_ssl: true, http2: true, enabled: false}\n"
        + MEDIA
        + f"    certificate: {none}\n    access_list: {none}\n    http2: false\n    enabled: true\n"
    )
    proxy = only(source)
    assert proxy.certificate is None
    assert proxy.access_list is None
    assert proxy.force_ssl is True
    assert proxy.http2 is False
    assert proxy.enabled is True


@pytest.mark.parametrize("blank", ["", "~", "null"])
@pytest.mark.parametrize("key", ["certificate", "access_list", "http2", "enabled", "health"])
def test_nothing_behind_a_key_takes_no_default_away(key: str, blank: str) -> None:
    defaults = {"certificate": "a", "access_list": "b", "http2": "true", "enabled": "false"}
    source = f"defaults: {{{key}: {defaults.get(key, 'off')}}}\n{MEDIA}    {key}: {blank}\n"
    assert f"proxies.media.{key}: has nothing behind it" in message(source)


def test_none_as_a_default_is_no_default() -> None:
    assert only("defaults: {access_list: none}\n" + MEDIA).access_list is None


def test_health_and_validation_are_merged_with_the_defaults_key_by_key() -> None:
    source = (
        "defaults:\n  health: {path: /up, interval: 1m}\n  validation: {skip: [http]}\n"
        + MEDIA
        + "    health: {interval: 2m}\n    validation: {mode: warn}\n"
    )
    proxy = only(source)
    assert (proxy.health.path, proxy.health.interval) == ("/up", 120.0)
    assert (proxy.validation.mode, proxy.validation.skip) == ("warn", frozenset({"http"}))


def test_a_default_of_off_is_replaced_by_an_entry_with_health() -> None:
    source = "defaults: {health: off}\n" + MEDIA
    assert not only(source).health.enabled
    assert only(source + "    health: {path: /up}\n").health.enabled


def test_anchors_and_merge_keys_work_as_in_compose_files() -> None:
    source = """\
x-one: &one {http2: true, hsts: true}
x-two: &two {hsts: false, force_ssl: true}
proxies:
  media:
    <<: [*one, *two]
    domains: &names [media.example.com]
    upstream: http://x
    http2: false
"""
    proxy = only(source)
    assert (proxy.http2, proxy.hsts, proxy.force_ssl) == (False, True, True)


def test_a_location_keeps_the_path_of_its_upstream() -> None:
    source = (
        MEDIA
        + """\
    locations:
      - {path: /api, upstream: "http://10.0.0.6:9000/v1"}
      - {path: "~*   \\\\.php$", upstream: "http://[FD00::0:6]"}
      - {path: "=/x", upstream: "https://App/", advanced_config: "expires 1d;"}
"""
    )
    api, php, exact = only(source).locations
    assert api.upstream == Upstream("http", "10.0.0.6", 9000, "/v1")
    assert (php.path, php.upstream) == (r"~* \.php$", Upstream("http", "[fd00::6]", 80))
    assert (exact.path, exact.upstream) == ("= /x", Upstream("https", "app", 443, "/"))
    assert exact.advanced_config == "expires 1d;"


def test_locations_that_nginx_tells_apart_may_stand_together() -> None:
    paths = ["/", "= /", "/x", "= /x", "/x/", "^~ /y", "= /y", "~ /x", "~* /x"]
    locations = "".join(
        f'      - {{path: "{path}", upstream: "http://10.0.0.6:9000"}}\n' for path in paths
    )
    assert [one.path for one in only(MEDIA + "    locations:\n" + locations).locations] == paths


def test_an_exact_location_may_stand_where_nothing_is_cached() -> None:
    exact, regex = (
        f'locations: [{{path: "{path}", upstream: "http://10.0.0.6:9000"}}]'
        for path in ("= /x", "~ /x")
    )
    assert media("cache_assets: false", exact).locations
    assert media("cache_assets: true", regex).locations


def test_a_variable_is_replaced_and_a_secret_one_is_remembered_as_such() -> None:
    source = MEDIA + '    advanced_config: "set $key ${KEY}; # $host $${KEY} ${OTHER:-none} ${V}"\n'
    config = text(source, SECRET_KEY="s3cret-key", V="plain")
    (resource,) = config.resources
    assert isinstance(resource.entry, ProxyEntry)
    assert resource.entry.advanced_config == "set $key s3cret-key; # $host ${KEY} none plain"
    assert config.secrets == {"s3cret-key": "${KEY}"}


def test_a_secret_is_always_a_text() -> None:
    assert media("advanced_config: ${N}", SECRET_N="12345678").advanced_config == "12345678"


def test_a_variable_can_be_a_switch_or_a_number_but_never_structure() -> None:
    source = "settings:\n  max_delete: ${N}\n" + MEDIA + "    enabled: ${ON}\n"
    config = text(source, N="3", ON="false")
    assert config.settings.max_delete == DeleteLimit(count=3)
    assert config.resources[0].is_on is False
    injected = "a\n    enabled: false"
    proxy = media("advanced_config: ${X}", X=injected)
    assert (proxy.advanced_config, proxy.enabled) == (injected, True)


def test_a_quoted_variable_stays_a_text() -> None:
    assert media('certificate: "${N}"', N="5").certificate == "5"


def test_a_variable_cannot_take_an_access_list_away() -> None:
    for value in ("null", "~"):
        assert media("access_list: ${LIST}", LIST=value).access_list == value
    for value in ("", "no", "off"):
        assert "access_list" in message(MEDIA + "    access_list: ${LIST}\n", LIST=value)


def test_variables_in_keys_comments_and_extensions_are_left_alone() -> None:
    assert only("x-a: ${NOT_SET}  # ${NOT_SET}\n" + MEDIA).domains == ("media.example.com",)


def test_a_variable_that_is_no_text_is_an_error() -> None:
    assert "no UTF-8" in message(MEDIA + "    advanced_config: ${X}\n", X="\udcff")


def test_a_long_secret_is_not_shown_in_part_either() -> None:
    secret = "topsecret" * 20
    source = MEDIA + "    advanced_config: [a, '${X}']\n    health: {path: '${X}'}\n"
    told = message(source, SECRET_X=secret)
    assert "topsecret" not in told
    assert '"${X}"' in told


@pytest.mark.parametrize(
    ("source", "truncated"),
    [
        (MEDIA, False),
        (MEDIA.rstrip("\n"), True),
        (MEDIA.replace("\n", "\r\n"), False),
        ("proxies: {}", True),
        ("{proxies: {}}", False),
    ],
)
def test_a_file_without_a_last_line_end_may_have_been_cut_short(
    source: str, truncated: bool
) -> None:
    assert text(source).maybe_truncated is truncated


def test_a_byte_order_mark_of_utf_8_is_accepted() -> None:
    config = load_text(b"\xef\xbb\xbf" + MEDIA.encode(), "proxies.yaml", {})
    assert config.resources[0].source.line == 2


@pytest.mark.parametrize(
    ("content", "begin"),
    [
        (b"", "proxies.yaml:1:1: is empty"),
        (b"\n \n", "proxies.yaml:1:1: is empty"),
        ("a: é".encode("latin-1"), "proxies.yaml:1:4: is no UTF-8 text"),
        (MEDIA.encode("utf-16"), "proxies.yaml:1:1: is UTF-16"),
        (b"a: b\nc\0d", "proxies.yaml:2:2: holds the control character 0x00"),
        (b"---\n", "proxies.yaml:1:1: is empty"),
        (b"%TAG ! tag:x\n", "proxies.yaml:2:1: is not YAML"),
    ],
)
def test_what_is_no_yaml_text_is_refused_where_it_stops_to_be_one(
    content: bytes, begin: str
) -> None:
    assert message(content).startswith(begin)


def test_problems_end_somewhere() -> None:
    source = MEDIA + "".join(f"    key{i}: 1\n" for i in range(2 * MAX_PROBLEMS))
    with pytest.raises(ConfigError) as caught:
        text(source)
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert caught.value.problems[-1].message == "there are too many problems to go on"


def test_problems_as_json_are_plain_values() -> None:
    with pytest.raises(ConfigError) as caught:
        text("proxie: {}\n" + MEDIA)
    expected: list[dict[str, Any]] = [
        {
            "file": "proxies.yaml",
            "line": 1,
            "column": 1,
            "path": "proxie",
            "message": "is not known here",
            "hint": "did you mean proxies?",
        }
    ]
    assert caught.value.to_json() == expected
    assert caught.value.code == "config.invalid"


@pytest.mark.parametrize(("character", "sent"), [("x", 1), ("é", 2), ('"', 2), ("🙂", 4)])
def test_an_entry_that_no_request_can_hold_is_an_error(character: str, sent: int) -> None:
    fits = character * (100_000 // sent)
    assert media(f"advanced_config: '{fits}'")
    more = character * (3_000 // sent)
    told = message(MEDIA + f"    advanced_config: '{fits}{more}'\n")
    assert "NPM takes 102400" in told


def test_the_size_of_an_entry_is_that_of_all_its_parts() -> None:
    location = "{path: /%d, upstream: 'http://x', advanced_config: '" + "y" * 1000 + "'}"
    locations = ", ".join(location % i for i in range(100))
    told = message(MEDIA + f"    locations: [{locations}]\n")
    assert "proxies.media: makes a request of 1" in told
    assert "include /data/nginx/custom" in told
