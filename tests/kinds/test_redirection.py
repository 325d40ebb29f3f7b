"""Redirections in normal form, as each version of NPM writes them."""

import pytest

from proxysync.config.load import load_text
from proxysync.kinds.base import NONE_OWN
from proxysync.kinds.redirection import REDIRECTION
from proxysync.model import Snapshot


@pytest.mark.parametrize("scheme", ["auto", "http", "https"])
@pytest.mark.parametrize("version", [(2, 10, 4), (2, 11, 3), (2, 12, 1), (2, 15, 1), None])
def test_what_an_old_npm_is_sent_is_read_as_what_was_meant(
    scheme: str, version: tuple[int, int, int] | None
) -> None:
    meant = REDIRECTION.normalise({"domain_names": ["a.example"], "forward_scheme": scheme})
    sent = REDIRECTION.for_server(meant, version)
    assert REDIRECTION.normalise(sent) == meant
    old = version is not None and version < (2, 12, 0)
    assert sent["forward_scheme"] == ("$scheme" if old and scheme == "auto" else scheme)


@pytest.mark.parametrize(
    ("version", "refused"),
    [((2, 11, 3), False), ((2, 12, 6), True), ((2, 13, 2), True), ((2, 13, 3), False)],
)
def test_a_target_without_a_scheme_is_a_conflict_where_npm_knows_no_way_to_write_it(
    version: tuple[int, int, int], *, refused: bool
) -> None:
    text = "redirections: {a: {domains: [a.example], to: %s}}\n"
    for to, problem in (("b.example", refused), ("http://b.example", False)):
        (resource,) = load_text(text % to, "f", {}).resources
        desired = REDIRECTION.desired(resource, Snapshot((), version=version), NONE_OWN)
        assert ("auto://" in (desired.problem or "")) is problem
