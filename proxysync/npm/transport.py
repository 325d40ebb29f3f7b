"""One HTTP exchange with an NPM server, bounded in time and size, its failures as our errors."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from proxysync import __version__
from proxysync.npm import tls
from proxysync.npm.errors import NpmAddressError, NpmUnavailableError, address_hint

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
WRITE_TIMEOUT = 120.0
"""Seconds. NPM took 2.3 s for a write beside 400 hosts, on a slow machine."""

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes; 5000 proxy hosts are 2.8 MB."""


@dataclass(frozen=True)
class Reply:
    """An answer: `body` is the parsed JSON, or None if the answer was something else."""

    status: int
    body: Any
    is_json: bool
    location: str | None = None

    @property
    def message(self) -> str:
        """NPM's own words about an error, else the status."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        text = error.get("message") if isinstance(error, dict) else error
        return str(text) if text else f"HTTP {self.status}"


class Transport:
    """Sends requests to `<url>/api`; knows nothing of tokens or of what is sent."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        if ca_file is not None and not ca_file.is_file():
            raise NpmAddressError(
                f"the CA file {ca_file} cannot be read",
                hint="PROXYSYNC_NPM_CA_FILE must name a PEM file with the CA of NPM's certificate.",
            )
        self.url = url
        self._ca_file = ca_file
        self._verify: str | bool = str(ca_file) if ca_file else True
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"proxysync/{__version__}"
        # NPM's nginx cuts idle connections with each reload, that is, after each of our writes.
        self._session.headers["Connection"] = "close"
        # Without this, requests would send a netrc password in place of our token.
        self._session.auth = lambda request: request

    def exchange(
        self,
        method: str,
        path: str,
        *,
        payload: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> Reply:
        """One request, sent once.

        Raises NpmUnavailableError if no whole answer came, NpmAddressError if it could not
        have come from this address.
        """
        limit = READ_TIMEOUT if method == "GET" else WRITE_TIMEOUT
        deadline = time.monotonic() + limit
        options = self._session.merge_environment_settings(
            self.url, {}, stream=True, verify=self._verify, cert=None
        )
        try:
            with self._session.request(
                method,
                f"{self.url}/api{path}",
                json=payload,
                headers={"Authorization": f"Bearer {token}"} if token else None,
                timeout=(CONNECT_TIMEOUT, limit),
                allow_redirects=False,
                **options,
            ) as response:
                content = self._read(response, deadline)
                return _reply(response, content)
        except requests.exceptions.SSLError as error:
            raise tls.explain(error, self.url, self._ca_file) from error
        except requests.exceptions.Timeout as error:
            raise NpmUnavailableError(
                f"{self.url} did not answer {method} {path} in time",
                hint="Check that NPM is running and not overloaded.",
            ) from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise NpmAddressError(
                f"{self.url} is not a usable address: {error}",
                hint=address_hint(self.url),
            ) from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise NpmUnavailableError(
                f"NPM cannot be reached at {self.url}: {_reason(error)}",
                hint="Check that NPM is running, and the address in PROXYSYNC_NPM_URL "
                "(NPM's admin port, usually 81).",
            ) from error

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(65536):
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER:
                raise NpmAddressError(
                    f"{self.url} answered with more than {MAX_ANSWER // 2**20} MiB",
                    hint="This is hardly NPM's API; check PROXYSYNC_NPM_URL.",
                )
            if time.monotonic() > deadline:
                raise requests.exceptions.ReadTimeout
        return b"".join(parts)


def _reply(response: requests.Response, content: bytes) -> Reply:
    location = response.headers.get("Location")
    try:
        return Reply(response.status_code, json.loads(content), is_json=True, location=location)
    except ValueError:
        return Reply(response.status_code, None, is_json=False, location=location)


def _reason(error: BaseException) -> str:
    """The operating system's word for it, from the depth of requests' wrapped errors."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        wrapped = (getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args)
        cause = next((inner for inner in wrapped if isinstance(inner, BaseException)), None)
    return str(seen[-1]) or type(seen[-1]).__name__
