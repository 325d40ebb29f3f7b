"""What repeats stands once: `vars` and `snippets`."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proxysync.config.load import ConfigError, load, load_text
from proxysync.config.models import Config
from proxysync.kinds.hosts import HostEntry
from proxysync.kinds.proxy import ProxyEntry
from tests.config.test_hostile import RELAXED

MEDIA = """\
proxies:
  media:
    domains: [media.example.com]
    upstream: http://10.0.0.5:8096
"""
SNIPPETS = """\
snippets:
  big-uploads: client_max_body_size 10g;
  headers: |
    add_header A 1;
    add_header B 2;
"""
HEADERS = "add_header A 1;\nadd_header B 2;\n"
UPLOADS = "client_max_body_size 10g;\n"


def text(source: str, **environ: str) -> Config:
    return load_text(source, "proxies.yaml", environ)


def only(source: str, **environ: str) -> ProxyEntry:
    (resource,) = text(source, **environ).resources
    assert isinstance(resource.entry, ProxyEntry)
    return resource.entry


def refused(source: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        text(source, **environ)
    return str(caught.value)


class TestVars:
    """`${NAME}` from the file itself."""

    def test_a_var_stands_in_any_value(self) -> None:
        source = """\
vars: {domain: example.com, nas: 10.0.0.5, port: 8096, on: true, share: 50%}
settings: {max_delete: "${share}"}
defaults:
  websockets: ${on}
snippets: {auth: "set $d ${domain};"}
proxies:
  media:
    domains: ["${domain}", "media.${domain}"]
    upstream: http://${nas}:${port}
    http2: ${on}
    advanced_config: [auth]
    locations: [{path: "/${port}", upstream: "http://${nas}"}]
"""
        entry = only(source)
        assert entry.domains == ("example.com", "media.example.com")
        assert str(entry.upstream) == "http://10.0.0.5:8096"
        assert (entry.http2, entry.websockets) == (True, True)
        assert entry.advanced_config == "set $d example.com;\n"
        assert entry.locations[0].path == "/8096"
        assert text(source).settings.max_delete.share == 0.5

    def test_vars_may_use_each_other_in_any_order_and_what_was_handed_over(self) -> None:
        source = 'vars: {url: "http://${nas}", nas: "${net}.5"}\n' + MEDIA.replace(
            "http://10.0.0.5:8096", "${url}"
        )
        assert str(only(source, PROXYSYNC_VAR_net="10.0.0").upstream) == "http://10.0.0.5:80"

    def test_what_was_handed_over_wins_for_all_that_use_the_var(self) -> None:
        source = 'vars: {nas: 10.0.0.5, url: "http://${nas}"}\n' + MEDIA.replace(
            "http://10.0.0.5:8096", "${url}"
        )
        assert only(source).upstream.host == "10.0.0.5"
        assert only(source, PROXYSYNC_VAR_nas="10.0.0.6").upstream.host == "10.0.0.6"
        assert only(source, nas="10.0.0.6").upstream.host == "10.0.0.5"

    def test_a_var_wins_over_the_default_of_its_use(self) -> None:
        source = "vars: {nas: 10.0.0.5}\n" + MEDIA.replace("10.0.0.5", "${nas:-10.0.0.9}")
        assert only(source).upstream.host == "10.0.0.5"

    def test_a_var_is_no_secret_and_can_never_become_one(self) -> None:
        source = "vars: {TOKEN: in-the-file}\n" + MEDIA + '    advanced_config: "x ${TOKEN};"\n'
        assert text(source).secrets == {}
        told = refused(source, PROXYSYNC_SECRET_TOKEN="hunter2-hunter2")
        assert "vars.TOKEN: has the name of a secret that was handed over" in told
        assert "hunter2" not in told

    def test_a_var_cannot_take_an_access_list_away(self) -> None:
        source = 'vars: {list: "null"}\n' + MEDIA + "    access_list: ${list}\n"
        assert only(source).access_list == "null"
        assert "vars.list" in refused(source.replace('"null"', "null"))

    def test_what_is_wrong_with_a_value_says_where_its_vars_are_set(self) -> None:
        source = "vars:\n  nas: 10.0.0.300\n" + MEDIA.replace("10.0.0.5", "${nas}")
        assert "(${nas} is set at proxies.yaml:2:3)" in refused(source)
        told = refused(source, PROXYSYNC_VAR_nas="10.0.0.400")
        assert "(${nas} was handed over as PROXYSYNC_VAR_nas)" in told

    def test_what_is_wrong_with_a_var_is_told_once_and_there(self) -> None:
        source = 'vars: {nas: "${gone}"}\n' + MEDIA.replace("10.0.0.5", "${nas}")
        (told,) = refused(source).splitlines()
        assert told.startswith("proxies.yaml:1:8: vars.nas: needs the variable gone")

    def test_a_rotated_secret_of_the_name_of_a_var_is_noticed(self) -> None:
        """The daemon looks again for what the file has asked for."""
        assert text("vars: {nas: x}\n" + MEDIA).variables == {"nas": None}


class TestSnippets:
    """`advanced_config` as a list."""

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("[big-uploads]", UPLOADS),
            ("[headers, big-uploads]", HEADERS + UPLOADS),
            ("[big-uploads, big-uploads]", UPLOADS + UPLOADS),
            ("['expires 1d;', headers]", "expires 1d;\n" + HEADERS),
            ("['# big-uploads', 'big-uploads;']", "# big-uploads\nbig-uploads;\n"),
            ("['expires 1d;']", "expires 1d;\n"),
            ("['']", "\n"),
            ("[]", ""),
            ("'expires 1d;'", "expires 1d;"),
        ],
    )
    def test_one_word_is_a_snippets_name_and_all_else_is_text(
        self, written: str, meant: str
    ) -> None:
        source = SNIPPETS + MEDIA
        assert only(f"{source}    advanced_config: {written}\n").advanced_config == meant
        location = f"{{path: /x, upstream: 'http://x', advanced_config: {written}}}"
        (found,) = only(f"{source}    locations: [{location}]\n").locations
        assert found.advanced_config == meant
        assert only(f"defaults: {{advanced_config: {written}}}\n{source}").advanced_config == meant

    def test_every_kind_of_host_can_be_put_together(self) -> None:
        source = f"""{SNIPPETS}
proxies: {{}}
redirections: {{a: {{domains: a.example.com, to: x.example.com, advanced_config: [headers]}}}}
not_found_hosts: {{b: {{domains: b.example.com, advanced_config: [headers]}}}}
"""
        for resource in text(source).resources:
            assert isinstance(resource.entry, HostEntry)
            assert resource.entry.advanced_config == HEADERS

    def test_an_entrys_own_list_takes_the_place_of_a_default(self) -> None:
        source = f"defaults: {{advanced_config: [headers]}}\n{SNIPPETS}{MEDIA}"
        assert only(source + "    advanced_config: []\n").advanced_config == ""
        assert only(source + "    advanced_config: [big-uploads]\n").advanced_config == UPLOADS

    def test_a_secret_in_a_snippet_or_beside_one_stays_one(self) -> None:
        source = (
            'snippets:\n  auth: "set $t ${TOKEN};"\n'
            + MEDIA
            + "    advanced_config: [auth, '${TOKEN}']\n"
        )
        secret = {"PROXYSYNC_SECRET_TOKEN": "hunter2-hunter2"}
        assert text(source, **secret).secrets == {"hunter2-hunter2": "${TOKEN}"}
        whole = "set $t hunter2-hunter2;\nhunter2-hunter2\n"
        assert only(source, **secret).advanced_config == whole
        told = refused(source.replace("set $t", r"\0"), **secret)
        assert "snippets.auth: holds a NUL" in told
        assert "hunter2" not in told

    def test_what_no_request_can_hold_is_refused_put_together(self) -> None:
        source = f"snippets: {{big: '{'x' * 60_000};'}}\n{MEDIA}"
        assert only(source + "    advanced_config: [big]\n")
        assert "NPM takes 102400" in refused(source + "    advanced_config: [big, big]\n")


class TestFolders:
    """Several files are one."""

    def test_the_names_of_all_files_are_one_set(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(
            MEDIA.replace("10.0.0.5", "${nas}") + "    advanced_config: [one, two]\n"
        )
        (tmp_path / "b.yaml").write_text("vars: {net: 10.0.0}\nsnippets: {one: 'x;'}\n")
        (tmp_path / "c.yaml").write_text('vars: {nas: "${net}.7"}\nsnippets: {two: "y;"}\n')
        (resource,) = load(tmp_path, {}).resources
        assert isinstance(resource.entry, ProxyEntry)
        assert resource.entry.upstream.host == "10.0.0.7"
        assert resource.entry.advanced_config == "x;\ny;\n"

    @pytest.mark.parametrize("key", ["vars", "snippets"])
    def test_a_name_in_two_files_is_an_error(self, tmp_path: Path, key: str) -> None:
        (tmp_path / "a.yaml").write_text(f"{MEDIA}{key}: {{one: x}}\n")
        (tmp_path / "b.yaml").write_text(f"{key}: {{one: x}}\n")
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, {})
        first = f"{tmp_path / 'a.yaml'}:5:{len(key) + 4}"
        assert f"{key}.one: stands in two files, the other is {first}" in str(caught.value)


NAMES = "abcde"
PIECES = st.sampled_from(["x", "-", "${a}", "${b}", "${c}", "${d}", "${e}", "$${a}", "${a:-y}"])
TEXTS = st.lists(PIECES, min_size=1, max_size=5).map("".join)


def expanded(text: str, given: Mapping[str, str], above: tuple[str, ...] = ()) -> str:
    """What the text means. Raises ValueError where it has no meaning."""

    def one(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "${"
        if name in above:
            raise ValueError(name)
        if name in given:
            return expanded(given[name], given, (*above, name))
        if match["default"] is None:
            raise ValueError(name)
        return match["default"]

    return re.sub(r"\$\$\{|\$\{(?P<name>[a-e])(?::-(?P<default>y))?\}", one, text)


@RELAXED
@given(st.dictionaries(st.sampled_from(NAMES), TEXTS), TEXTS)
def test_any_vars_mean_what_their_texts_say_or_are_refused(
    given: dict[str, str], used: str
) -> None:
    entry = {"domains": ["x.example.com"], "upstream": "http://x", "advanced_config": f"; {used}"}
    source = yaml.safe_dump({"vars": given, "proxies": {"x": entry}})
    try:
        meant = {name: expanded(text, given, (name,)) for name, text in given.items()}
        whole = expanded(f"; {used}", given)
    except ValueError:
        refused(source)
        return
    assert only(source).advanced_config == whole
    alone = {name: text.replace("${", "$${") for name, text in meant.items()}
    assert only(yaml.safe_dump({"vars": alone, "proxies": {"x": entry}})).advanced_config == whole


@RELAXED
@given(
    st.dictionaries(st.sampled_from(NAMES), st.text("ab;\n #", max_size=6)),
    st.lists(st.sampled_from(NAMES) | st.text("ab;\n #", max_size=6), max_size=5),
)
def test_any_list_is_its_parts_in_order_or_is_refused(
    snippets: dict[str, str], items: list[str]
) -> None:
    entry = {"domains": ["x.example.com"], "upstream": "http://x", "advanced_config": items}
    source = yaml.safe_dump({"snippets": snippets, "proxies": {"x": entry}})
    words = {item for item in items if re.fullmatch("[a-z]+", item)}
    if words - snippets.keys():
        assert "and there is none" in refused(source)
        return
    parts = [snippets[item] if item in words else item for item in items]
    found = only(source).advanced_config
    assert found == "".join(part if part.endswith("\n") else part + "\n" for part in parts)
