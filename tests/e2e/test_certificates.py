"""Certificates: the one that NPM has is the one that visitors are shown."""

import socket
import ssl
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import trustme

from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually

pytestmark = pytest.mark.timeout(120)


def shown(world: World, name: str) -> bytes:
    """The certificate in DER that visitors of this domain are shown; empty if there is none."""
    sandbox = world.npm.sandbox
    host = urlsplit(world.npm.sites_url).hostname or ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    place = (host, sandbox.https_port if sandbox else 443)
    with socket.create_connection(place, 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=domain(name)) as secure:
                return secure.getpeercert(binary_form=True) or b""
        except ssl.SSLError:
            return b""


def der(pair: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.cert_chain_pems[0].bytes().decode())


def upload(world: World, npm_id: int, pair: trustme.LeafCert) -> None:
    """As somebody does it in NPM; nginx loads it with the next write only."""
    parts = {"certificate": pair.cert_chain_pems[0], "certificate_key": pair.private_key_pem}
    answer = requests.post(
        f"{world.npm.url}/api/nginx/certificates/{npm_id}/upload",
        headers={"Authorization": str(world.npm._session.headers["Authorization"])},
        files={name: (f"{name}.pem", blob.bytes()) for name, blob in parts.items()},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


def seeing(world: World, **more: Any) -> dict[str, Any]:
    """Settings with which visitors' HTTPS is looked at; on a real NPM that is the default."""
    sandbox = world.npm.sandbox
    found = {"url": f"https://127.0.0.1:{sandbox.https_port}"} if sandbox else "auto"
    return {"health": {"interval": "1s"}, "resync_interval": "1s", "verify": found, **more}


def test_one_that_nginx_has_not_loaded_is_noticed_and_loaded(
    world: World, services: list[DemoService]
) -> None:
    ca = trustme.CA()
    old, new = ca.issue_cert(domain("one")), ca.issue_cert(domain("one"))
    npm_id = replace(world.npm, sandbox=None).add_certificate(domain("tls"), domain("one"))
    upload(world, npm_id, old)
    world.write(
        {"one": {"upstream": services[0].url, "certificate": domain("tls")}},
        settings=seeing(world),
    )

    with world.daemon():
        eventually(lambda: shown(world, "one") == der(old))
        upload(world, npm_id, new)

        eventually(lambda: shown(world, "one") == der(new))
        eventually(lambda: "edge.served" in world.event_names(name="one"))
    told = [e["message"] for e in world.events() if e["event"] == "edge.not_served"]
    assert len(told) == 1
    assert "another certificate than NPM has" in told[0]
