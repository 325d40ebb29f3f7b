"""Everything that NPM has, as a file: read again and adopted, it changes nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysync.app.entry_names import new_name
from proxysync.app.import_ import Imported, import_
from proxysync.app.state_folder import StateReader
from proxysync.config.load import load_text
from proxysync.config.models import Config
from proxysync.config.writing import lines_of, without_variables
from proxysync.kinds import KINDS, Kind
from proxysync.kinds.base import NONE_OWN
from proxysync.model import AccessList, Certificate, Fields, Live, Marker, Snapshot
from proxysync.model.errors import ProxysyncError
from proxysync.model.text import clean, without_commands
from proxysync.npm.client import NpmClient
from proxysync.plan.model import MARKER_FIELD
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Policy
from proxysync.values.names import entry_name

CERTIFICATES = (
    Certificate(1, "Wild", ("*.example.com",)),
    Certificate(2, "twice", ("one.example.com",)),
    Certificate(3, "twice", ("two.example.com", "one.example.com")),
    Certificate(4, "none", ("four.example.com",)),
    Certificate(5, "17", ()),
    Certificate(6, "costs ${much}", ()),
)
LISTS = (
    AccessList(1, "family"),
    AccessList(2, "held twice"),
    AccessList(3, "held twice"),
    AccessList(4, "no"),
)
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class FakeNpm:
    """An NPM of which only one reading is needed."""

    read: Snapshot

    def snapshot(self) -> Snapshot:
        return self.read

    def visibility_warning(self) -> str | None:
        return None


def imported(
    *objects: Live,
    wanted: tuple[str, ...] = (),
    config: Config | None = None,
    environ: Mapping[str, str] = NOTHING,
    **others: Any,
) -> Imported:
    snapshot = Snapshot(objects, CERTIFICATES, LISTS, **others)
    npm = cast("NpmClient", FakeNpm(snapshot))
    return import_(npm, StateReader(), config, environ, wanted)


def host(npm_id: int, *domains: str, kind: str = "proxy", **fields: Any) -> Live:
    own = {"forward_host": "10.0.0.5", "forward_domain_name": "elsewhere.example.com"}
    known = {name: value for name, value in own.items() if name in KINDS[kind].defaults}
    whole = KINDS[kind].normalise({**known, "domain_names": list(domains), **fields})
    return Live(kind, npm_id, whole, created_on="2026-01-31 12:00:00", online=True)


def marked(live: Live, name: str, instance: str = "default") -> Live:
    return Live(live.kind, live.npm_id, live.fields, Marker(name, instance), {}, live.created_on)


TEXTS = st.text(
    st.one_of(
        st.sampled_from("${}ab \n\t:#\"'\\-|>"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    ),
    max_size=40,
)
GOOD: Mapping[str, st.SearchStrategy[Any]] = {
    "forward_scheme": st.sampled_from(["http", "https"]),
    "forward_host": st.sampled_from(["10.0.0.5", "[fd00::5]", "jellyfin", "nas.lan", "my_app"]),
    "forward_domain_name": st.sampled_from(["a.example.com", "b.example.com:8443/x?y=$z"]),
    "forward_http_code": st.sampled_from([301, 302, 303, 307, 308]),
    "forward_port": st.integers(1, 65535),
    "certificate_id": st.sampled_from([0, 1, 3, 4, 5, 6]),
    "access_list_id": st.sampled_from([0, 1, 4]),
    "advanced_config": TEXTS,
    "locations": st.lists(
        st.fixed_dictionaries(
            {
                "path": st.sampled_from(["/", "/api", "~ ^/y", "^~ /$z"]),
                "forward_host": st.sampled_from(["10.0.0.6", "[::1]", "app"]),
                "forward_port": st.integers(1, 65535),
                "advanced_config": TEXTS,
            }
        ),
        max_size=3,
        unique_by=lambda location: location["path"],
    ),
}
"""Values that the file can express, by NPM's field; of others the type says enough."""

STREAMS: Mapping[str, st.SearchStrategy[Any]] = {
    "incoming_port": st.integers(1000, 2999),
    "forwarding_host": st.sampled_from(["10.0.0.5", "[fd00::5]", "jellyfin"]),
    "forwarding_port": st.integers(1, 65535),
    "tcp_forwarding": st.just(True),
    "certificate_id": GOOD["certificate_id"],
}

ODD: Mapping[str, st.SearchStrategy[Any]] = {
    **GOOD,
    "forward_scheme": st.sampled_from(["http", "auto", "$scheme", "ftp", ""]),
    "forward_host": st.sampled_from(
        ["", "a/b", "fd00::5", "A.b", "u@h", "$x", "h:1", "a b", "[x]"]
    ),
    "forward_domain_name": st.sampled_from(["", "a..b", "http://x.y", "x.y/*", "1.2.3", "A.b"]),
    "forward_http_code": st.sampled_from([300, 305, 301, 0]),
    "forward_port": st.sampled_from([0, 1, 70000]),
    "certificate_id": st.integers(0, 9),
    "access_list_id": st.integers(0, 9),
    "locations": st.lists(
        st.fixed_dictionaries(
            {
                "path": st.sampled_from(["/", "", "api", "^~ /", "/a b", "/${x}"]),
                "forward_host": st.sampled_from(["10.0.0.6", "a/b", ""]),
                "forward_path": st.sampled_from(["", "/p"]),
            }
        ),
        max_size=2,
    ),
}


HOSTS = sorted(name for name, kind in KINDS.items() if kind.is_host)
NO_NAMES: Mapping[str, st.SearchStrategy[Any]] = {"domain_names": st.just([])}


def definition(kind: Kind, values: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    others = {name: st.booleans() for name in kind.defaults}
    if kind.name == "stream":
        odd = {name: st.booleans() for name in ("tcp_forwarding", "udp_forwarding")}
        values = STREAMS if values is GOOD else {**STREAMS, **odd}
    of_kind = {name: values.get(name, others[name]) for name in kind.defaults}
    return st.fixed_dictionaries({**of_kind, **({} if kind.name == "stream" else NO_NAMES)})


@st.composite
def objects(
    draw: st.DrawFn, values: Mapping[str, st.SearchStrategy[Any]], domains: st.SearchStrategy[str]
) -> tuple[Live, ...]:
    """Objects of all kinds that have no domain in common."""
    found, held = [], set[str]()
    for npm_id in range(1, draw(st.integers(0, 8)) + 1):
        kind = KINDS[draw(st.sampled_from(HOSTS))]
        names = set(draw(st.lists(domains, min_size=1, max_size=3))) - held
        if not names:
            continue
        held |= names
        fields: Fields = draw(definition(kind, values))
        if kind.name == "redirection" and values is GOOD:
            fields = {**fields, "forward_scheme": draw(st.sampled_from(["auto", "https"]))}
        own: dict[str, Any] = {"domain_names": sorted(names)}
        if kind.name == "stream":
            own = {"incoming_port": 3001 + npm_id}  # a port of its own
        live = Live(
            kind.name,
            npm_id,
            kind.normalise({**fields, **own}),
            created_on="2026-01-31 12:00:00",
            online=True,
        )
        found.append(live)
    return tuple(found)


GOOD_DOMAINS = st.sampled_from(
    [
        *(f"{name}.example.com" for name in ("a", "b", "www", "*", "on", "2048", "x_y", "a.b")),
        *("example.com", "example.org", "a.example.org", "*.apps.example.org", "10.0.0.7"),
    ]
)
ODD_DOMAINS = GOOD_DOMAINS | st.sampled_from(
    [".example.com", "bücher.example", "a b", "*", "x.*", "${x}.example", "a.example.com.", "-"]
)


@given(objects(GOOD, GOOD_DOMAINS))
@settings(deadline=None, max_examples=40)
def test_adopting_what_was_imported_changes_not_one_field(hosts: tuple[Live, ...]) -> None:
    found = imported(*hosts)
    assert found.left_out == ()
    assert found.changes_nothing, found.adopting.to_text(colour=False)
    config = load_text(found.text, "test")
    keys = frozenset(resource.key for resource in config.resources)
    snapshot = Snapshot(hosts, CERTIFICATES, LISTS)
    desired = [KINDS[r.key.kind].desired(r, snapshot, NONE_OWN) for r in config.resources]
    plan = make_plan(desired, snapshot, (), Policy(adopting=keys))
    assert sorted((c.kind, c.npm_id) for c in plan.changes) == sorted(
        (live.kind, live.npm_id) for live in hosts
    )
    for change in plan.changes:
        assert (change.action, set(change.fields) - {MARKER_FIELD}) == ("adopt", set())


@given(objects(ODD, ODD_DOMAINS))
@settings(deadline=None, max_examples=40)
def test_what_the_file_cannot_express_is_a_comment_with_the_reason(hosts: tuple[Live, ...]) -> None:
    found = imported(*hosts)
    assert len(found.taken) + len(found.left_out) == len(hosts)
    config = load_text(found.text, "test")
    assert sorted(r.key for r in config.resources) == sorted(entry.key for entry in found.taken)
    for entry in found.left_out:
        assert all(entry.problems)
        assert f"# Left out: {entry.label}," in found.text
    # What remains is spelled otherwise than in NPM, or is a conflict with what was left out.
    assert {change.action for change in found.adopting.plan.changes} <= {"adopt", "conflict"}


@given(objects(GOOD, GOOD_DOMAINS), st.randoms())
@settings(deadline=None, max_examples=30)
def test_the_order_of_npms_lists_does_not_matter(hosts: tuple[Live, ...], random: Any) -> None:
    mixed = list(hosts)
    random.shuffle(mixed)
    assert imported(*mixed).text == imported(*hosts).text


@given(objects(GOOD, GOOD_DOMAINS))
@settings(deadline=None, max_examples=30)
def test_what_guards_terminals_changes_nothing_of_the_file(hosts: tuple[Live, ...]) -> None:
    text = imported(*hosts).text
    if without_commands(text) != text:
        # A CI server must not get its orders; as escapes they are the same texts to the loader.
        guarded = load_text(without_commands(text), "test")
        assert guarded.resources == load_text(text, "test").resources
    assert clean(text) == text


@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS), max_size=4))
@settings(deadline=None, max_examples=40)
def test_any_text_is_read_as_it_was_written(values: dict[str, Any]) -> None:
    import yaml

    written = "\n".join([*lines_of({"x-test": values}), "", "next: 1", ""])
    assert yaml.safe_load(written) == {"x-test": values, "next": 1}


def test_what_most_have_in_common_is_a_default_and_the_others_say_so() -> None:
    secure: dict[str, Any] = {"certificate_id": 1, "ssl_forced": True, "http2_support": True}
    hosts = [host(i, f"h{i}.example.com", **secure) for i in range(1, 6)]
    plain = host(6, "plain.example.com")
    other = host(7, "other.example.com", certificate_id=3, ssl_forced=False, http2_support=True)
    text = imported(*hosts, plain, other).text
    assert text.partition("defaults:")[2].partition("\n\n")[0] == (
        "\n  certificate: Wild\n  force_ssl: true\n  http2: true"
    )
    assert entry(text, "h1") == ["domains: [h1.example.com]", "upstream: http://10.0.0.5:80"]
    assert entry(text, "plain")[2:] == ["certificate: none"]
    assert entry(text, "other")[2:] == ["certificate: two.example.com", "force_ssl: false"]


def entry(text: str, name: str) -> list[str]:
    """The lines of an entry, without those around it."""
    after = text.partition(f"\n  {name}:\n")[2]
    lines: Iterator[str] = iter(after.splitlines())
    return [line.strip() for line in iter(lambda: next(lines, ""), "")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"certificate_id": 2}, 'certificate #2 "twice" has no name that tells it from the others'),
        ({"certificate_id": 99}, "it has certificate #99, which is gone from NPM"),
        ({"access_list_id": 3}, 'access list #3 "held twice" has no name that tells it from'),
        ({"forward_host": "10.0.0.5/sub"}, 'upstream "http://10.0.0.5:80/sub" has a path'),
        ({"domain_names": [".example.com"]}, "starts with a dot"),
        ({"domain_names": ["bücher.example"]}, "its domains would become xn--bcher-kva.example"),
        (
            {"locations": [{"path": "^~ /", "forward_host": "a"}]},
            "is to nginx the same as the / that NPM adds itself",
        ),
    ],
)
def test_each_reason_stands_beside_what_is_left_out(fields: dict[str, Any], reason: str) -> None:
    found = imported(host(1, **{"domain_names": ["a.example.com"], **fields}))
    ((problem,),) = (entry.problems for entry in found.left_out)
    assert reason in problem
    assert f"#   {problem}" in found.text
    assert load_text(found.text, "test").resources == ()


def test_a_code_by_which_nginx_does_not_redirect_is_left_out() -> None:
    found = imported(host(3, "old.example.com", kind="redirection", forward_http_code=300))
    assert "Left out: redirection host #3" in found.text
    assert "code must be 301, 302, 303, 307 or 308" in found.text
    assert "  # old:\n  #   domains: [old.example.com]\n" in found.text


def test_a_stream_is_named_by_its_port_and_takes_no_default_of_sites() -> None:
    secure: dict[str, Any] = {"certificate_id": 1, "ssl_forced": True}
    hosts = (host(i, f"h{i}.example.com", **cast("Any", secure)) for i in range(1, 5))
    ports: dict[str, Any] = {"tcp_forwarding": True, "udp_forwarding": True}
    values = {**ports, "forwarding_host": "10.0.0.5", "incoming_port": 25565, "forwarding_port": 1}
    stream = Live("stream", 1, KINDS["stream"].normalise(values), created_on="2026")
    found = imported(*hosts, stream)
    assert entry(found.text, "tcp-25565") == [
        "listen: 25565",
        "upstream: 10.0.0.5:1",
        "protocols: [tcp, udp]",
    ]
    assert found.changes_nothing
    assert [e.key.name for e in imported(stream, wanted=("tcp/25565",)).taken] == ["tcp-25565"]


def test_a_domain_that_two_hosts_have_is_the_older_ones() -> None:
    both = host(2, "a.example.com"), host(1, "a.example.com", "b.example.com")
    found = imported(*both)
    assert [entry.label for entry in found.taken] == ["proxy host #1"]
    assert "a.example.com is also a domain of proxy host #1" in found.text


def test_markers_give_names_and_other_instances_keep_their_hosts() -> None:
    found = imported(
        marked(host(1, "a.example.com"), "first"),
        marked(host(2, "b.example.com"), "theirs", "other"),
        marked(host(3, "c.example.com"), "first"),
        host(4, "first.example.com"),
    )
    assert [entry.key.name for entry in found.taken] == ["first", "first-example"]
    assert 'the proxysync instance "other" manages it' in found.text
    assert 'carries the same name as another, "first"' in found.text


def test_the_instance_of_the_file_in_use_is_kept() -> None:
    config = load_text("settings: {instance: home}\nproxies: {}\n", "test")
    found = imported(marked(host(1, "a.example.com"), "mine", "home"), config=config)
    assert [entry.key.name for entry in found.taken] == ["mine"]
    assert load_text(found.text, "test").settings.instance == "home"


def test_a_secret_that_was_handed_over_is_written_as_its_name() -> None:
    environ = {"PROXYSYNC_SECRET_TOKEN": "hunter2hunter2"}
    live = host(1, "a.example.com", advanced_config='set $t "hunter2hunter2${x}";')
    found = imported(live, environ=environ)
    assert "hunter2" not in found.text
    assert "${TOKEN}$${x}" in found.text
    assert found.changes_nothing
    ((resource,), (problem,)) = (
        load_text(found.text, "test", environ).resources,
        found.left_out or (None,),
    )
    assert problem is None
    assert KINDS["proxy"].desired(resource, Snapshot(()), NONE_OWN).fields == live.fields


def test_only_what_is_named_is_taken() -> None:
    hosts = (
        host(1, "a.example.com"),
        host(2, "b.example.com", "*.b.example.com"),
        host(3, "a.example.org", kind="redirection"),
    )
    names = {
        ("A.example.com",): ["a"],
        ("*.b.example.com", "a"): ["b", "a"],
        ("redirection/",): ["a-example"],
        ("redirections/a.example.org",): ["a-example"],
        ("proxy/a-example", "proxy/"): None,
    }
    for wanted, expected in names.items():
        if expected is None:
            with pytest.raises(ProxysyncError, match="NPM has nothing called proxy/a-example"):
                imported(*hosts, wanted=wanted)
        else:
            found = imported(*hosts, wanted=wanted)
            assert Counter(e.key.name for e in found.taken) == Counter(expected)
            assert found.changes_nothing, "the others are not missed"
    with pytest.raises(ProxysyncError) as error:
        imported(*hosts, wanted=("b.exmaple.com",))
    assert error.value.hint == "Did you mean b.example.com or *.b.example.com or a.example.com?"


def test_a_managed_host_that_cannot_stand_in_the_file_is_told_of() -> None:
    found = imported(marked(host(1, "a.example.com", forward_host="a/b"), "mine"))
    assert not found.changes_nothing


def test_a_host_that_nginx_refuses_is_warned_of() -> None:
    refused = replace(
        host(1, "a.example.com"), online=False, nginx_error="nginx: [emerg] no such thing"
    )
    (warning,) = imported(refused).notes
    assert warning.startswith("Warning: nginx does not serve proxy host #1 (a)")
    assert warning.endswith(": no such thing")


def test_a_kind_that_the_account_may_not_see_is_told_of() -> None:
    found = imported(denied={"redirection": "no right to see them"})
    assert found.notes == ("Warning: redirections: no right to see them",)
    assert "# redirections: no right to see them" in found.text


@pytest.mark.parametrize(
    ("domains", "taken", "name"),
    [
        (["media.example.com"], [], "media"),
        (["*.example.com", "media.example.com"], [], "media"),
        (["www.example.com"], [], "example"),
        (["www.example.com"], ["Example"], "example-com"),
        (["*.apps.example.com"], [], "apps"),
        (["example.com"], ["example"], "example-com"),
        (["a.example.com"], ["a", "a-example"], "a-example-com"),
        (["a.example.com"], ["a", "a-example", "a-example-com"], "a-example-com-2"),
        (["10.0.0.5"], [], "10-0-0-5"),
        (["-x-.example.com"], [], "x"),
        (["ü"], [], "proxy"),
        ([], [], "proxy"),
    ],
)
def test_names_come_from_the_telling_part(domains: list[str], taken: list[str], name: str) -> None:
    assert new_name(domains, "proxy", taken) == name


@given(st.lists(st.lists(st.text(max_size=150), max_size=3), max_size=8))
def test_every_name_is_one_and_none_comes_twice(many: list[list[str]]) -> None:
    names: list[str] = []
    for domains in many:
        names.append(entry_name(new_name(domains, "redirection", names)))
    assert len({name.lower() for name in names}) == len(names)


@given(TEXTS)
def test_nothing_in_a_text_is_taken_for_a_variable(text: str) -> None:
    if any(c in text for c in "\ufffe\uffff"):
        return
    fields = without_variables(
        {"domains": ["a.b"], "upstream": "http://a", "advanced_config": text}, {}
    )
    written = "\n".join(lines_of({"proxies": {"a": fields}})) + "\n"
    (resource,) = load_text(written, "test").resources
    assert (
        KINDS["proxy"].desired(resource, Snapshot(()), NONE_OWN).fields["advanced_config"] == text
    )


def test_what_means_nothing_for_most_is_no_default() -> None:
    """What only those with a certificate say would be true of each that gets one later."""
    plain = [host(number, f"plain{number}.example.com") for number in range(1, 6)]
    secure: dict[str, Any] = {"certificate_id": 1, "ssl_forced": True}
    tls = [host(number, f"tls{number}.example.com", **secure) for number in range(6, 9)]
    read = yaml.safe_load(imported(*plain, *tls).text)
    assert "force_ssl" not in read.get("defaults", {})
    assert read["proxies"]["tls6"]["force_ssl"] is True
