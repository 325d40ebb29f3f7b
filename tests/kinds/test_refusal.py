"""nginx's errors in the words of the entry."""

from typing import Any

import pytest

from proxysync.kinds import KINDS
from proxysync.kinds.refusal import refusal_of
from proxysync.model import Live

CONFIG = "proxy_buffering off;\nno_such_directive on;\n"
STAMP = "2026/11/28 21:52:42 [emerg] 26839#26839: "
OWN = " in /data/nginx/proxy_host/37.conf:37"


def host(error: str, **fields: Any) -> Live:
    whole = KINDS["proxy"].complete({"domain_names": ["a.x"], **fields})
    return Live("proxy", 37, whole, online=False, nginx_error=error)


@pytest.mark.parametrize(
    ("error", "fields", "told"),
    [
        (
            f'{STAMP}unknown directive "no_such_directive"{OWN}',
            {"advanced_config": CONFIG},
            'unknown directive "no_such_directive" (advanced_config line 2)',
        ),
        (
            f'nginx: [emerg] unknown directive "no_such_directive"{OWN}',
            {"locations": [{"path": "/api", "forward_host": "x", "advanced_config": CONFIG}]},
            'unknown directive "no_such_directive" (locations["/api"].advanced_config line 2)',
        ),
        (
            f'{STAMP}unexpected end of file, expecting ";" or "}}"{OWN}',
            {"advanced_config": "a;\nb;\n"},
            'unexpected end of file, expecting ";" or "}"',
        ),
        (
            f'{STAMP}unknown directive "x" in /data/nginx/custom/server_proxy.conf:1',
            {"advanced_config": "x;"},
            'unknown directive "x" in /data/nginx/custom/server_proxy.conf:1',
        ),
        (
            f'{STAMP}host not found in upstream "gone.x" in /data/nginx/proxy_host/4.conf:9',
            {},
            'host not found in upstream "gone.x" in /data/nginx/proxy_host/4.conf:9',
        ),
        ("", {}, "NPM gives no reason"),
    ],
)
def test_where_it_is_wrong_is_told_by_the_entry(
    error: str, fields: dict[str, Any], told: str
) -> None:
    assert refusal_of(host(error, **fields)) == told
