"""Who may come in: the kind `access_list`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field

from proxysync.kinds.answers import AsEntry, Flaw
from proxysync.kinds.base import Own, as_desired, as_entry
from proxysync.kinds.entry import Resource
from proxysync.kinds.hosts import typed
from proxysync.kinds.references import Named, References
from proxysync.kinds.referred import ReferredEntry, ReferredKind
from proxysync.model import Desired, Fields, Snapshot
from proxysync.values.access import DIRECTIVES
from proxysync.values.fields import Bool, Rule, Satisfy, Users

LOADS_AT_ONCE = (2, 11, 0)
"""Until here NPM reloads nginx before it has rendered the hosts of a changed list."""

LOCKS_OUT = (
    "NPM before 2.15 lets nobody in by a list that has users and no rules; write `satisfy: any`"
)
ITEMS_ONLY = (2, 15, 0)
"""Until here NPM ends every list with `deny all`, so that users alone let nobody in."""


class AccessListEntry(ReferredEntry):
    """One access list as it stands in the file."""

    satisfy: Satisfy = Field(
        default="all", description="Whether it takes rules and users to get in, or any of them."
    )
    pass_auth: Bool = Field(
        default=True, description="Whether the upstream gets the visitor's name and password, too."
    )
    rules: tuple[Rule, ...] = Field(
        default=(),
        description="Who is let in and kept out, the first that fits; then nobody is let in.",
        examples=[[{"allow": "192.168.0.0/16"}]],
    )
    users: Users = Field(
        default={},
        description="Who gets in by a password: each with a secret variable, or just named, and "
        "then with the password that NPM has.",
        examples=[{"alice": "${ALICE_PASSWORD}"}],
    )


class AccessListKind(ReferredKind):
    """An access list of NPM.

    NPM never shows a password, only its first letter and its length.
    """

    name = "access_list"
    section = "access_lists"
    label = "access list"
    collection = "nginx/access-lists"
    query = "?expand=items,clients"
    right = "access_lists"
    right_label = "Access Lists"
    entry_model = AccessListEntry
    may_hold_secret = frozenset({"users"})
    only_secret = frozenset({"users"})
    defaults: ClassVar[Fields] = {
        "name": "",
        "satisfy_any": False,
        "pass_auth": True,
        "clients": (),
        "items": (),
    }
    wire_names: ClassVar[Mapping[str, str]] = {
        "satisfy_any": "satisfy",
        "clients": "rules",
        "items": "users",
    }

    def example(self) -> str:
        return "rules or users"

    def normal_form(self, fields: Fields) -> Fields:
        result = typed(fields, self.defaults)
        result["clients"] = [
            {"directive": str(one.get("directive")), "address": str(one.get("address")).lower()}
            for one in result["clients"]
        ]
        names = sorted(str(one.get("username")) for one in result["items"])
        result["items"] = [{"username": name} for name in names]
        return result

    def desired(self, resource: Resource, snapshot: Snapshot, own: Own) -> Desired:
        entry = resource.entry
        assert isinstance(entry, AccessListEntry)
        fields = self.normalise(
            {
                "name": entry.name or resource.name,
                "satisfy_any": entry.satisfy == "any",
                "pass_auth": entry.pass_auth,
                "clients": [{"directive": how, "address": who} for how, who in entry.rules],
                "items": [{"username": user} for user in entry.users],
            }
        )
        secrets = {user: word for user, word in entry.users.items() if word is not None}
        return as_desired(self, resource, fields, References(snapshot, own), snapshot, secrets)

    def entry_of(self, fields: Fields, snapshot: Snapshot, named: Named) -> AsEntry:
        del snapshot, named
        users = tuple(one["username"] for one in fields["items"])
        every = {
            "name": fields["name"],
            "satisfy": "any" if fields["satisfy_any"] else "all",
            "pass_auth": fields["pass_auth"],
            "rules": tuple({one["directive"]: one["address"]} for one in fields["clients"]),
            "users": users or {},
        }
        problems = ("it lets everybody in: it is empty",) if self.lets_everybody_in(fields) else ()
        return as_entry(self, every, problems)

    def title(self, fields: Fields) -> str:
        return str(fields["name"])

    def likeness(self, fields: Fields) -> frozenset[str]:
        content = json.dumps([fields["clients"], fields["items"]], sort_keys=True)
        return frozenset({f"called {fields['name']}", f"holds {content}"})

    def hints(self, row: Mapping[str, Any]) -> Mapping[str, str]:
        users = row.get("items")
        found = [one for one in users if isinstance(one, dict)] if isinstance(users, list) else []
        return {str(one.get("username")): str(one.get("hint") or "") for one in found}

    def hint_of(self, secret: str) -> str:
        # NPM counts in UTF-16, so that of an emoji at the beginning it shows half.
        units = secret.encode("utf-16-le", "surrogatepass")
        return units[:2].decode("utf-16-le", "surrogatepass") + "*" * (len(units) // 2 - 1)

    def with_secrets(self, payload: Mapping[str, Any], secrets: Mapping[str, str]) -> Fields:
        users = [one["username"] for one in payload["items"]]
        items = [{"username": user, "password": secrets.get(user, "")} for user in users]
        return {**payload, "items": items}

    def lacks_secrets(self, want: Desired, have: Fields | None) -> str | None:
        known = {one["username"] for one in have["items"]} if have else set()
        users = [one["username"] for one in want.fields["items"]]
        missing = [user for user in users if user not in known and user not in want.secrets]
        if not missing:
            return None
        words = ", ".join(f'{user}: "${{{_variable(user)}}}"' for user in missing)
        return (
            f"NPM has no password for {' and '.join(missing)}: give one in a secret variable, as "
            f"in `users: {{{words}}}`"
        )

    def loads_late(self, version: tuple[int, int, int] | None) -> bool:
        return version is not None and version < LOADS_AT_ONCE

    def told_users(self, version: tuple[int, int, int] | None) -> Mapping[str, str]:
        del version
        return {"proxy_hosts": "proxy"}

    def lets_everybody_in(self, fields: Fields) -> bool:
        return not fields["items"] and not fields["clients"]

    def asks_everybody(self, fields: Fields) -> bool:
        return bool(fields["items"]) and not (fields["clients"] and fields["satisfy_any"])

    def lacks(self, fields: Fields, snapshot: Snapshot) -> Iterable[tuple[str, str]]:
        yield from super().lacks(fields, snapshot)
        only_users = fields["items"] and not fields["clients"] and not fields["satisfy_any"]
        if only_users and snapshot.version is not None and snapshot.version < ITEMS_ONLY:
            yield "satisfy_any", LOCKS_OUT

    def flaws(self, data: Mapping[str, Any]) -> Iterable[Flaw]:
        if not data.get("rules") and not data.get("users"):
            yield Flaw(
                (),
                "has neither rules nor users, and NPM serves a host with such a list to everybody",
                f"add rules ({' or '.join(DIRECTIVES)}), users or both",
            )


ACCESS_LIST = AccessListKind()


def _variable(user: str) -> str:
    """A variable's name for the password of a user."""
    word = "".join(letter if letter.isalnum() else "_" for letter in user.upper())
    return f"{word}_PASSWORD"
