"""Redirections in normal form, as each version of NPM writes them."""

import pytest

from proxysync.kinds.redirection import REDIRECTION


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
