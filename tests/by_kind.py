"""Each kind as the heavy tests know it: entries, what NPM has of them, and what visitors get.

A further kind is one more class, and its line in KINDS. Places are what only one entry may have:
domains for all kinds of hosts, ports for streams.
"""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any, ClassVar

from proxysync import kinds
from tests.world import SUFFIX, Npm, domain

Entry = dict[str, Any]
Row = dict[str, Any]
Key = tuple[str, str]
"""A kind and a name."""

Entries = dict[Key, Entry]
Edit = Callable[[Random, Entry], str]
"""Changes an entry, and says what it did."""

OWN_LIST = "guests"
"""The access list that is always in the file, and the variable with its one user's password."""

SECRETS = {"PROXYSYNC_SECRET_GUEST_PASSWORD": "wonderland"}

WORDS = (
    "steady",
    "foreign",
    "theirs",
    "first",
    "changed",
    "renamed",
    "leaving",
    "disabled",
    "kept",
    "turned",
    "moved",
    "a hand's",
)
"""What places are called in tests that choose none by chance."""

NOTHING_LISTENS = "http://127.0.0.1:1"
BAD_CONFIGS = ("no_such_directive on;", "client_max_body_size 10m", "location /x {")

DOMAINS = (
    *(domain(f"d{number}") for number in range(12)),
    *(f"*.{domain(f'w{number}')}" for number in range(2)),
)


@dataclass(frozen=True)
class Surroundings:
    """What entries may lead to and hold: the services that say one, two and three, free `ports` of
    NPM's machine, one that something else has there, and an access list of NPM.
    """

    urls: tuple[str, ...]
    ports: tuple[int, ...]
    busy: int | None = None
    access_list: str | None = None

    @property
    def texts(self) -> Mapping[str, str]:
        return dict(zip(self.urls, ("one", "two", "three"), strict=True))


class ByKind(ABC):
    """How the entries of one kind are made, edited and seen, and what hands do to its objects.

    `place` is the field of an entry that says where it is found; two kinds with the same one share
    all `places`. With `has_gaps` a place that goes to another entry may be away in between.
    `guarded` are names of fixed entries that edits and hands may touch, too, but so
    that no stranger may see their sites. `refers` are the fields that name entries of another kind.
    """

    kind: ClassVar[kinds.Kind]
    place: ClassVar[str]
    has_gaps: ClassVar[bool] = False
    guarded: ClassVar[frozenset[str]] = frozenset()
    refers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, around: Surroundings) -> None:
        self.around = around

    @property
    def path(self) -> str:
        return f"/{self.kind.collection}"

    @property
    def files(self) -> str:
        """The folder in which NPM keeps nginx's files of this kind."""
        return self.path.rpartition("/")[2].removesuffix("s").replace("-", "_")

    @property
    @abstractmethod
    def places(self) -> tuple[Any, ...]:
        """All places that free entries may have."""

    @property
    def bad_places(self) -> frozenset[Any]:
        """Those of them at which nothing can work."""
        return frozenset()

    @abstractmethod
    def place_called(self, word: str) -> Any:
        """A place of its own for each of WORDS."""

    @abstractmethod
    def fixed(self) -> dict[str, Entry]:
        """Entries that nobody edits and no hand touches: what they serve must never fail."""

    @property
    @abstractmethod
    def of_strangers(self) -> Sequence[Any]:
        """Places that nobody has a use for, of objects that strangers have all the while."""

    @abstractmethod
    def new(self, rng: Random, place: Any) -> Entry:
        """An entry for this place."""

    @abstractmethod
    def changed(self, entry: Entry) -> Entry:
        """The entry with another definition, at the same place."""

    @abstractmethod
    def edits(self) -> Sequence[Edit]:
        """What somebody edits of an entry, beside its name, its place and whether it is on."""

    @abstractmethod
    def mend(self, entry: Entry) -> None:
        """Takes out what cannot work, but for its place."""

    @abstractmethod
    def places_of(self, entry: Entry) -> list[Any]:
        """The places that an entry has."""

    @abstractmethod
    def where(self, place: Any) -> str:
        """Where visitors ask for what is at this place."""

    @abstractmethod
    def answers(self, entry: Entry) -> dict[str, str]:
        """What visitors get of it, by where they ask, while it is on."""

    @abstractmethod
    def differs(self, entry: Entry, row: Row) -> bool:
        """Whether the object is not as the entry says."""

    @abstractmethod
    def is_tests(self, row: Row) -> bool:
        """Whether an object is one that the tests have made."""

    def is_strangers(self, row: Row) -> bool:
        """Whether it is at one of the places of strangers."""
        theirs = ({self.place: self.as_place([place])} for place in self.of_strangers)
        return any(self.has_place_of(row, entry) for entry in theirs)

    @abstractmethod
    def as_place(self, places: Sequence[Any]) -> Any:
        """The value of an entry's field for these places; one that has a single place takes
        the first.
        """

    @abstractmethod
    def has_place_of(self, row: Row, entry: Entry) -> bool:
        """Whether an object is found where the entry is."""

    @abstractmethod
    def foreign(self, place: Any) -> Row:
        """What a stranger sends to NPM to make an object at this place."""

    @abstractmethod
    def hand_edits(self, rng: Random, row: Row) -> Sequence[Row]:
        """What a person may save in NPM's page."""

    @abstractmethod
    def form(self, row: Row) -> Row:
        """What NPM's page sends when a person saves without having changed anything."""

    def rows(self, npm: Npm) -> list[Row]:
        rows = npm.call("GET", f"{self.path}{self.kind.query}")
        return [row for row in rows if self.is_tests(row)]

    def is_on(self, row: Row) -> bool:
        """Whether an object is to be served."""
        return bool(row.get("enabled", True))

    def is_online(self, row: Row) -> bool:
        """Whether nginx has taken it, as NPM says."""
        return bool(row["meta"].get("nginx_online"))


class HostKind(ByKind):
    """What is found by its domains."""

    place = "domains"

    def place_called(self, word: str) -> Any:
        return domain(f"{word}-{self.kind.name.replace('_', '-')}")

    def as_place(self, places: Sequence[Any]) -> Any:
        return list(places)

    @property
    def places(self) -> tuple[Any, ...]:
        return DOMAINS

    @property
    def of_strangers(self) -> Sequence[Any]:
        return [self.place_called("foreign"), self.place_called("theirs")]

    def edits(self) -> Sequence[Edit]:
        return (self.config,)

    def changed(self, entry: Entry) -> Entry:
        return {**entry, "advanced_config": "client_max_body_size 9m;"}

    def config(self, rng: Random, entry: Entry) -> str:
        good = f"client_max_body_size {rng.randint(1, 99)}m;"
        entry["advanced_config"] = rng.choice([good, good, *BAD_CONFIGS])
        return f"advanced_config: {entry['advanced_config']}"

    def mend(self, entry: Entry) -> None:
        if entry.get("advanced_config") in BAD_CONFIGS:
            del entry["advanced_config"]

    def places_of(self, entry: Entry) -> list[Any]:
        return list(entry["domains"])

    def where(self, place: Any) -> str:
        return str(place)

    def differs(self, entry: Entry, row: Row) -> bool:
        return bool(
            row["domain_names"] != sorted(entry["domains"])
            or row["advanced_config"] != entry.get("advanced_config", "")
        )

    def is_tests(self, row: Row) -> bool:
        return any(name.endswith(SUFFIX) for name in row["domain_names"])

    def has_place_of(self, row: Row, entry: Entry) -> bool:
        return bool(set(row["domain_names"]) & {*entry["domains"]})

    def foreign(self, place: Any) -> Row:
        return {"domain_names": [place]}

    def hand_edits(self, rng: Random, row: Row) -> Sequence[Row]:
        return [{"advanced_config": "client_max_body_size 7m;"}]

    def form(self, row: Row) -> Row:
        return {name: row[name] for name in ("domain_names", "advanced_config")}


class Proxies(HostKind):
    """Some with an access list, of the file or of NPM: strangers never see their sites."""

    kind = kinds.KINDS["proxy"]
    guarded = frozenset({"guarded", "guarded-by-own"})
    refers: ClassVar[Mapping[str, str]] = {"access_list": "access_list"}

    def fixed(self) -> dict[str, Entry]:
        one, two, _ = self.around.urls
        return {
            "steady-1": {"domains": [domain("steady-1")], "upstream": one},
            "steady-2": {"domains": [domain("steady-2")], "upstream": two},
            "guarded": {
                "domains": [domain("guarded")],
                "upstream": one,
                "access_list": self.around.access_list,
            },
            "guarded-by-own": {
                "domains": [domain("guarded-by-own")],
                "upstream": two,
                "access_list": OWN_LIST,
            },
        }

    def new(self, rng: Random, place: Any) -> Entry:
        return {"domains": [place], "upstream": rng.choice(self.around.urls)}

    def edits(self) -> Sequence[Edit]:
        return (
            self.config,
            self.upstream,
            self.upstream,
            self.dead_upstream,
            self.locations,
        )

    def changed(self, entry: Entry) -> Entry:
        return {**entry, "upstream": next(u for u in self.around.urls if u != entry["upstream"])}

    def upstream(self, rng: Random, entry: Entry) -> str:
        others = [url for url in self.around.urls if url != entry["upstream"]]
        entry["upstream"] = rng.choice(others)
        return f"upstream: {entry['upstream']}"

    def dead_upstream(self, rng: Random, entry: Entry) -> str:
        if "access_list" in entry:
            return self.upstream(rng, entry)
        entry["upstream"] = NOTHING_LISTENS
        return "dead upstream"

    def locations(self, rng: Random, entry: Entry) -> str:
        if entry.pop("locations", None):
            return "no locations"
        bad = {"advanced_config": "bogus 1;"} if rng.random() < 0.4 else {}
        entry["locations"] = [{"path": "/api", "upstream": rng.choice(self.around.urls), **bad}]
        return f"{'bad' if bad else 'good'} location"

    def mend(self, entry: Entry) -> None:
        super().mend(entry)
        entry.pop("locations", None)
        if entry["upstream"] not in self.around.urls:
            entry["upstream"] = self.around.urls[0]

    def answers(self, entry: Entry) -> dict[str, str]:
        text = "401" if "access_list" in entry else self.around.texts[entry["upstream"]]
        return dict.fromkeys(entry["domains"], text)

    def differs(self, entry: Entry, row: Row) -> bool:
        return bool(
            super().differs(entry, row)
            or row["forward_port"] != int(entry["upstream"].rpartition(":")[2])
            or bool(row["access_list_id"]) != ("access_list" in entry)
        )

    def foreign(self, place: Any) -> Row:
        port = int(self.around.urls[0].rpartition(":")[2])
        theirs = {"forward_scheme": "http", "forward_host": "127.0.0.1", "forward_port": port}
        return {**super().foreign(place), **theirs}

    def hand_edits(self, rng: Random, row: Row) -> Sequence[Row]:
        return [
            *super().hand_edits(rng, row),
            {"forward_port": int(rng.choice(self.around.urls).rpartition(":")[2])},
            {"allow_websocket_upgrade": not row["allow_websocket_upgrade"]},
        ]

    def form(self, row: Row) -> Row:
        more = ("forward_scheme", "forward_host", "forward_port")
        return {**super().form(row), **{name: row[name] for name in more}}


class Redirections(HostKind):
    kind = kinds.KINDS["redirection"]

    TARGETS: ClassVar = tuple(domain(f"to-{number}") for number in range(3))

    def fixed(self) -> dict[str, Entry]:
        steady = {"domains": [domain("steady-redirection")], "to": f"http://{self.TARGETS[0]}"}
        return {"steady": {**steady, "code": 301}}

    def new(self, rng: Random, place: Any) -> Entry:
        entry: Entry = {"domains": [place]}
        self.target(rng, entry)
        return entry

    def edits(self) -> Sequence[Edit]:
        return (self.config, self.target, self.target)

    def changed(self, entry: Entry) -> Entry:
        return {**entry, "to": next(f"http://{t}" for t in self.TARGETS if t not in entry["to"])}

    def target(self, rng: Random, entry: Entry) -> str:
        entry["to"] = f"http://{rng.choice(self.TARGETS)}"
        entry["code"] = rng.choice([301, 302, 307, 308])
        return f"{entry['code']} to {entry['to']}"

    def answers(self, entry: Entry) -> dict[str, str]:
        return dict.fromkeys(entry["domains"], f"{entry['code']} {entry['to']}")

    def differs(self, entry: Entry, row: Row) -> bool:
        to = f"{row['forward_scheme']}://{row['forward_domain_name']}"
        as_said = (to, int(row["forward_http_code"])) == (entry["to"], entry["code"])
        return super().differs(entry, row) or not as_said

    def foreign(self, place: Any) -> Row:
        theirs = {"forward_scheme": "http", "forward_domain_name": domain("theirs-to")}
        return {**super().foreign(place), **theirs, "forward_http_code": 302}

    def hand_edits(self, rng: Random, row: Row) -> Sequence[Row]:
        return [
            *super().hand_edits(rng, row),
            {"forward_domain_name": rng.choice(self.TARGETS)},
            {"preserve_path": not row["preserve_path"]},
        ]

    def form(self, row: Row) -> Row:
        more = ("forward_scheme", "forward_domain_name", "forward_http_code", "preserve_path")
        return {**super().form(row), **{name: row[name] for name in more}}


class NotFoundHosts(HostKind):
    kind = kinds.KINDS["not_found_host"]

    def fixed(self) -> dict[str, Entry]:
        return {"steady": {"domains": [domain("steady-404")]}}

    def new(self, rng: Random, place: Any) -> Entry:
        return {"domains": [place]}

    def answers(self, entry: Entry) -> dict[str, str]:
        return dict.fromkeys(entry["domains"], "404")


class Streams(ByKind):
    """What is found by its port; visitors come by TCP alone."""

    kind = kinds.KINDS["stream"]
    place = "listen"
    has_gaps = True

    def place_called(self, word: str) -> Any:
        return self.around.ports[WORDS.index(word)]

    def as_place(self, places: Sequence[Any]) -> Any:
        return places[0]

    @property
    def places(self) -> tuple[Any, ...]:
        free = self.around.ports[WORDS.index("first") : WORDS.index("a hand's")]
        return (*free, *self.bad_places)

    @property
    def bad_places(self) -> frozenset[Any]:
        """What something else has: nginx would load nothing any more."""
        return frozenset({self.around.busy} - {None})

    def fixed(self) -> dict[str, Entry]:
        return {"steady": {"listen": self.place_called("steady"), "upstream": self._upstreams[2]}}

    @property
    def of_strangers(self) -> Sequence[Any]:
        return [self.place_called("theirs")]

    @property
    def _upstreams(self) -> list[str]:
        return [url.removeprefix("http://") for url in self.around.urls]

    def new(self, rng: Random, place: Any) -> Entry:
        return {"listen": place, "upstream": rng.choice(self._upstreams)}

    def edits(self) -> Sequence[Edit]:
        return (self.upstream, self.upstream, self.dead_upstream, self.protocols)

    def changed(self, entry: Entry) -> Entry:
        return {**entry, "upstream": next(u for u in self._upstreams if u != entry["upstream"])}

    def upstream(self, rng: Random, entry: Entry) -> str:
        others = [one for one in self._upstreams if one != entry["upstream"]]
        entry["upstream"] = rng.choice(others)
        return f"upstream: {entry['upstream']}"

    def dead_upstream(self, rng: Random, entry: Entry) -> str:
        del rng
        entry["upstream"] = NOTHING_LISTENS.removeprefix("http://")
        return "dead upstream"

    def protocols(self, rng: Random, entry: Entry) -> str:
        entry["protocols"] = rng.choice([["tcp"], ["udp"], ["tcp", "udp"]])
        return f"protocols: {entry['protocols']}"

    def mend(self, entry: Entry) -> None:
        if entry["upstream"] not in self._upstreams:
            entry["upstream"] = self._upstreams[0]

    def places_of(self, entry: Entry) -> list[Any]:
        return [entry["listen"]]

    def where(self, place: Any) -> str:
        return f"tcp/{place}"

    def answers(self, entry: Entry) -> dict[str, str]:
        if "tcp" not in entry.get("protocols", ["tcp"]):
            return {}
        texts = dict(zip(self._upstreams, self.around.texts.values(), strict=True))
        return {self.where(entry["listen"]): texts[entry["upstream"]]}

    def differs(self, entry: Entry, row: Row) -> bool:
        to = f"{row['forwarding_host']}:{row['forwarding_port']}"
        spoken = [name for name in ("tcp", "udp") if row[f"{name}_forwarding"]]
        wanted = sorted(entry.get("protocols", ["tcp"]))
        now = (row["incoming_port"], to, spoken)
        return now != (entry["listen"], entry["upstream"], wanted)

    def is_tests(self, row: Row) -> bool:
        return bool(row["forwarding_host"] == "127.0.0.1")

    def has_place_of(self, row: Row, entry: Entry) -> bool:
        return bool(row["incoming_port"] == entry["listen"])

    def foreign(self, place: Any) -> Row:
        port = int(self.around.urls[0].rpartition(":")[2])
        theirs = {"forwarding_host": "127.0.0.1", "forwarding_port": port}
        return {"incoming_port": place, **theirs, "tcp_forwarding": True}

    def hand_edits(self, rng: Random, row: Row) -> Sequence[Row]:
        return [
            {"forwarding_port": int(rng.choice(self.around.urls).rpartition(":")[2])},
            {"udp_forwarding": not row["udp_forwarding"]},
            {"incoming_port": self.place_called("a hand's")},
            {"incoming_port": self.around.busy},
        ]

    def form(self, row: Row) -> Row:
        more = ("incoming_port", "forwarding_host", "forwarding_port")
        both = ("tcp_forwarding", "udp_forwarding")
        return {name: row[name] for name in (*more, *both)}


class AccessLists(ByKind):
    """What hosts refer to: each asks for a password, whatever else it says."""

    kind = kinds.KINDS["access_list"]
    place = "name"
    guarded = frozenset({OWN_LIST})

    ELSEWHERE: ClassVar = ("10.9.9.9", "10.9.8.0/24", "192.0.2.0/24")
    """Where no visitor of the tests comes from."""

    def place_called(self, word: str) -> Any:
        return f"{word}.lists.{SUFFIX}"

    def as_place(self, places: Sequence[Any]) -> Any:
        return places[0]

    @property
    def places(self) -> tuple[Any, ...]:
        return tuple(self.place_called(f"n{number}") for number in range(5))

    @property
    def of_strangers(self) -> Sequence[Any]:
        return [self.place_called("theirs")]

    def fixed(self) -> dict[str, Entry]:
        return {OWN_LIST: {**self.new(Random(0), self.place_called(OWN_LIST))}}

    def new(self, rng: Random, place: Any) -> Entry:
        users = {"guest": "${GUEST_PASSWORD}"}
        return {"name": place, "satisfy": "any", "users": users}

    def edits(self) -> Sequence[Edit]:
        return (self.rules, self.rules, self.users, self.pass_auth)

    def changed(self, entry: Entry) -> Entry:
        return {**entry, "rules": [{"allow": self.ELSEWHERE[0]}], "pass_auth": False}

    def rules(self, rng: Random, entry: Entry) -> str:
        where = rng.sample(self.ELSEWHERE, rng.randint(0, 3))
        entry["rules"] = [{rng.choice(["allow", "deny"]): address} for address in where]
        return f"rules: {entry['rules']}"

    def users(self, rng: Random, entry: Entry) -> str:
        names = rng.choice([["guest"], ["guest", "alice"], ["bob", "guest"]])
        entry["users"] = dict.fromkeys(names, "${GUEST_PASSWORD}")
        return f"users: {names}"

    def pass_auth(self, rng: Random, entry: Entry) -> str:
        entry["pass_auth"] = rng.choice([True, False])
        return f"pass_auth: {entry['pass_auth']}"

    def mend(self, entry: Entry) -> None:
        """Nothing of it is ever bad."""

    def places_of(self, entry: Entry) -> list[Any]:
        return [entry["name"]]

    def where(self, place: Any) -> str:
        raise NotImplementedError(f"nobody can ask for {place}")

    def answers(self, entry: Entry) -> dict[str, str]:
        return {}

    def differs(self, entry: Entry, row: Row) -> bool:
        rules = [{one["directive"]: one["address"]} for one in row["clients"]]
        users = sorted(one["username"] for one in row["items"])
        return bool(
            (row["name"], rules, users)
            != (entry["name"], entry.get("rules", []), sorted(entry["users"]))
            or bool(row["satisfy_any"]) != (entry["satisfy"] == "any")
            or bool(row["pass_auth"]) != entry.get("pass_auth", True)
        )

    def is_online(self, row: Row) -> bool:
        return True

    def is_tests(self, row: Row) -> bool:
        return bool(row["name"].endswith(f".lists.{SUFFIX}"))

    def has_place_of(self, row: Row, entry: Entry) -> bool:
        return bool(row["name"] == entry["name"])

    def foreign(self, place: Any) -> Row:
        users = [{"username": "their", "password": "own"}]
        return {"name": place, "satisfy_any": True, "items": users, "clients": []}

    def hand_edits(self, rng: Random, row: Row) -> Sequence[Row]:
        rule = {"address": rng.choice(self.ELSEWHERE), "directive": "allow"}
        form = self.form(row)
        return [
            {**form, "pass_auth": not row["pass_auth"]},
            {**form, "clients": [*form["clients"], rule]},
            {**form, "items": [*form["items"], {"username": "hand", "password": "made"}]},
        ]

    def form(self, row: Row) -> Row:
        """An empty password is the one that NPM has."""
        return {
            **{name: row[name] for name in ("name", "satisfy_any", "pass_auth")},
            "items": [{"username": one["username"], "password": ""} for one in row["items"]],
            "clients": [
                {name: one[name] for name in ("address", "directive")} for one in row["clients"]
            ],
        }


KINDS: tuple[type[ByKind], ...] = (Proxies, Redirections, NotFoundHosts, Streams, AccessLists)


def in_surroundings(around: Surroundings) -> dict[str, ByKind]:
    """All kinds, by name."""
    return {kind.kind.name: kind(around) for kind in KINDS}


def free_ports() -> tuple[int, ...]:
    """So many ports as there are WORDS, of which nobody has one.

    They are below those that the system gives to connections, which may take one at any time.
    """
    found: list[int] = []
    while len(found) < len(WORDS):
        port = SystemRandom().randrange(10000, 32000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return tuple(found)
