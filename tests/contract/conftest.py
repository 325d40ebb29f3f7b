"""Each test runs on the sandbox and, marked `live`, on the real NPM that the environment names.

On the sandbox it runs as the newest version; `every_version` adds older ones, `since` and
`before` leave out versions for which a test is not true. A real NPM has the version it has.

PROXYSYNC_TEST_SANDBOX_VERSIONS=2.10.4,2.15.1 runs every test on the sandbox as these versions, and
PROXYSYNC_TEST_NPM_OFFLINE=1 says that the real NPM cannot reach Let's Encrypt.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from proxysync.sandbox import Sandbox
from proxysync.sandbox.versions import Version, parse_version
from tests.conftest import in_sandbox, real_npm
from tests.contract.client import Api, Pair

VERSIONS = ("2.10.4", "2.11.3", "2.13.7", "2.15.1")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "api" not in metafunc.fixturenames:
        return
    marks = {mark.name: mark for mark in metafunc.definition.iter_markers()}
    chosen = os.environ.get("PROXYSYNC_TEST_SANDBOX_VERSIONS")
    versions = tuple(chosen.split(",")) if chosen else VERSIONS
    fitting = [
        version for version in versions if _fits(metafunc.definition, parse_version(version))
    ]
    if not chosen and "every_version" not in marks:
        fitting = fitting[-1:]
    params = [pytest.param(version, id=f"sandbox-{version}") for version in fitting]
    params.append(pytest.param("real", marks=pytest.mark.live))
    metafunc.parametrize("api", params, indirect=True)


def _fits(item: pytest.Item, version: Version) -> bool:
    since = [parse_version(mark.args[0]) for mark in item.iter_markers("since")]
    before = [parse_version(mark.args[0]) for mark in item.iter_markers("before")]
    return all(version >= one for one in since) and all(version < one for one in before)


@pytest.fixture(scope="session")
def real() -> Api:
    """The real NPM, without rows of earlier tests, and logged in once."""
    npm = real_npm()
    npm.clean()
    return Api(npm)


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """The NPM under test."""
    if request.param == "real":
        known: Api = request.getfixturevalue("real")
        if not _fits(request.node, known.version):
            pytest.skip("not true of this version of NPM")
        api = Api(known.npm, known.token, known.version)
        yield api
        api.close()
        return
    with Sandbox(version=request.param) as sandbox:
        api = Api(in_sandbox(sandbox), version=parse_version(request.param))
        yield api
        api.close()


Issue = Callable[..., Pair]


@pytest.fixture(scope="session")
def issue() -> Issue:
    """Makes a self-signed certificate with this subject, and its key."""

    def issued(
        *subject: tuple[x509.ObjectIdentifier, str],
        expired: bool = False,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    ) -> Pair:
        key = key or ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(kind, value) for kind, value in subject])
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start.replace(year=2021 if expired else 2040))
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Pair(made.public_bytes(serialization.Encoding.PEM), private)

    return issued


@pytest.fixture(scope="session")
def pair(issue: Issue) -> Pair:
    """A good certificate."""
    return issue((NameOID.COMMON_NAME, "a.proxysync-test.example"))
