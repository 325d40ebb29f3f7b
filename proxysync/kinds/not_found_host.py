"""Hosts that answer 404 for everything: the kind `not_found_host`, which NPM calls dead hosts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from proxysync.kinds.answers import Served
from proxysync.kinds.hosts import HostDefaults, HostEntry, HostKind
from proxysync.kinds.references import ReferenceNames, References
from proxysync.model import Fields


class NotFoundHostKind(HostKind):
    """A 404 host of NPM.

    Since 2.13 a PUT stores the new definition but gives nginx the old one, and puts the old
    `meta` back; and `/disable` is answered before it is done, and ends NPM's backend where the
    host is off already.
    """

    name = "not_found_host"
    section = "not_found_hosts"
    label = "404 host"
    collection = "nginx/dead-hosts"
    right = "dead_hosts"
    right_label = "404 Hosts"
    defaults_model = HostDefaults
    entry_model = HostEntry
    is_switched_by_put = False
    is_late = True
    keeps_marker = False
    defaults: ClassVar[Fields] = {
        "domain_names": (),
        "certificate_id": 0,
        "ssl_forced": False,
        "http2_support": False,
        "hsts_enabled": False,
        "hsts_subdomains": False,
        "advanced_config": "",
        "enabled": True,
    }

    def wire(self, entry: HostEntry, references: References) -> Fields:
        del entry, references
        return {}

    def own_fields(self, fields: Fields, names: ReferenceNames) -> Mapping[str, Any]:
        del fields, names
        return {}

    def served(self, fields: Fields, path: str = "/") -> Served:
        return replace(super().served(fields, path), is_not_found=True)

    def placeholder_definition(self, name: str) -> Fields:
        return self.normalise({"domain_names": [name]})


NOT_FOUND_HOST = NotFoundHostKind()
