"""What differs between the versions of NPM, as far as a client can notice it."""

from dataclasses import dataclass

Version = tuple[int, int, int]


def parse_version(text: str) -> Version:
    """`"2.15.1"` as numbers. Raises ValueError for anything but three numbers."""
    major, minor, revision = (int(part) for part in text.split("."))
    return major, minor, revision


@dataclass(frozen=True)
class Behaviour:
    """One version's habits.

    `auth_status` and `denied_status` are the codes for bad logins or tokens and for missing
    rights; a `denied_status` of None is NPM's nameless 404. `domain_limit` counts names per host.
    With `blank_rows`, a row that is not there is read as one without values; with
    `serves_disabled`, a disabled host whose file is written is served all the same (0 counts as
    true in its template).
    `dead_hosts_lag` stands for what is wrong with updating and disabling dead hosts.
    With `lists_are_late`, nginx is reloaded before the hosts of a changed access list are rendered.
    With `quotes_commands`, what nginx says of a bad file comes after the command that was run.
    Without `reads_bad_pem`, a text that is no certificate is a failure and no mistake.
    """

    version: Version
    booleans: bool
    legacy_validation: bool
    auth_status: int
    denied_status: int | None
    health_setup: bool
    access_list_meta: bool
    trust_forwarded_proto: bool
    always_deny_all: bool
    domain_limit: int
    blank_rows: bool
    serves_disabled: bool
    dead_hosts_lag: bool
    stream_certificates: bool
    stream_domain_names: bool
    failures_have_a_code: bool
    nested_in_lists: bool
    lists_are_late: bool
    quotes_commands: bool
    auto_scheme: bool
    reads_bad_pem: bool


def behaviour_of(text: str) -> Behaviour:
    """The habits of the NPM that has this version number."""
    version = parse_version(text)
    legacy = version < (2, 12, 0)
    old_codes = version < (2, 13, 0)
    return Behaviour(
        version=version,
        booleans=not legacy,
        legacy_validation=legacy,
        auth_status=401 if old_codes else 400,
        denied_status=403 if old_codes else None,
        health_setup=not old_codes,
        access_list_meta=old_codes,
        trust_forwarded_proto=version >= (2, 14, 0),
        always_deny_all=version < (2, 15, 0),
        domain_limit=_domain_limit(version),
        blank_rows=legacy,
        serves_disabled=legacy,
        dead_hosts_lag=not old_codes,
        stream_certificates=version >= (2, 12, 3),
        stream_domain_names=not old_codes,
        failures_have_a_code=version >= (2, 15, 0),
        nested_in_lists=version >= (2, 15, 0),
        lists_are_late=version < (2, 11, 0),
        quotes_commands=version < (2, 11, 0),
        auto_scheme=version >= (2, 13, 3),
        reads_bad_pem=old_codes or version >= (2, 14, 0),
    )


def _domain_limit(version: Version) -> int:
    if version < (2, 11, 0):
        return 15
    return 30 if version < (2, 11, 2) else 100
