"""One HTTP exchange with an NPM server, bounded in time and size, its failures as our errors."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import requests
from urllib3.exceptions import NewConnectionError

from proxysync import __version__
from proxysync.kinds.request import encode
from proxysync.model.text import one_line
from proxysync.npm import tls
from proxysync.npm.deadline import Deadline, DeadlineAdapter, within
from proxysync.npm.errors import (
    Fate,
    NpmAddressError,
    NpmAnswerError,
    NpmError,
    NpmSilentError,
    NpmStoppedError,
    NpmUnavailableError,
    address_hint,
)
from proxysync.npm.form import Form, Payload
from proxysync.npm.patience import ENDLESS, Patience, Silence

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
WRITE_TIMEOUT = 120.0
"""Seconds for a whole exchange. NPM took 2.3 s for a write beside 400 hosts, on a slow machine."""

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes; 5000 proxy hosts are 2.8 MB."""

MAX_DEPTH = 100
"""How deep values may be nested: what walks through them recurses."""

MAX_MESSAGE = 500
"""Characters of NPM's own words that are passed on."""

_CONTAINERS = frozenset((dict, list))

OnExchange = Callable[[str, int | None, float], object]
"""Hears of each request: its method, the answer's status (None without one), and the seconds."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Reply:
    """An answer: `body` is the parsed JSON, or None if the answer was something else.

    `date` is the server's clock, as its header says it.
    """

    status: int
    body: Any
    is_json: bool
    location: str | None = None
    date: str | None = None

    @property
    def message(self) -> str:
        """NPM's own words about an error, else the status."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        text = error.get("message") if isinstance(error, dict) else error
        if not text:
            return f"HTTP {self.status}"
        # The dots tell, to those who hide secrets as well, that a word may be cut short here.
        cut = str(text)[:MAX_MESSAGE] + ("…" if len(str(text)) > MAX_MESSAGE else "")
        return one_line(cut)


class Transport:
    """Sends requests to `<url>/api`; knows nothing of tokens or of what is sent.

    Once `stop` says that the process is to end, a reading has only some seconds left. A write
    under way keeps its time: nobody else would know how it ended.
    """

    def __init__(
        self,
        url: str,
        ca_file: Path | None = None,
        stop: Callable[[], bool] = lambda: False,
        patience: Patience = ENDLESS,
        on_exchange: OnExchange = lambda _method, _status, _seconds: None,
    ) -> None:
        if ca_file is not None and not ca_file.is_file():
            raise NpmAddressError(
                f"the CA file {ca_file} cannot be read",
                hint="PROXYSYNC_NPM_CA_FILE must name a PEM file with the CA of NPM's certificate.",
            )
        self.url = url
        self._ca_file = ca_file
        self._stop = stop
        self._silence = Silence(patience)
        self._on_exchange = on_exchange
        self._verify: str | bool = tls.trusted(ca_file) or True
        self._session = requests.Session()
        # HTTP_PROXY is for the internet; NPM, like the upstreams, is asked directly.
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter())
        self._session.headers["User-Agent"] = f"proxysync/{__version__}"
        # NPM's nginx cuts idle connections with each reload, that is, after each of our writes.
        self._session.headers["Connection"] = "close"
        # Without this, requests would send a password of the address in place of our token.
        self._session.auth = lambda request: request

    def exchange(
        self,
        method: str,
        path: str,
        *,
        payload: Payload | None = None,
        token: str | None = None,
    ) -> Reply:
        """One request, sent once.

        Raises NpmUnavailableError if no whole answer came (NpmStoppedError if it was not
        waited for, NpmSilentError if that has lasted long enough), NpmAddressError if it could not
        have come from this address, and NpmAnswerError if it is none that can be understood.
        """
        is_read = method == "GET" or path.startswith("/tokens")
        limit = self._silence.limit(READ_TIMEOUT) if is_read else WRITE_TIMEOUT
        deadline = Deadline(limit, self._stop) if is_read else Deadline(limit)
        begin, reply = time.monotonic(), None
        try:
            with within(deadline), self._silence.watched():
                reply = self._send(method, path, payload, token, deadline.left())
        except (requests.exceptions.RequestException, OSError) as error:
            raise self._explain(error, method, path, deadline) from error
        finally:
            status = reply.status if reply else None
            self._on_exchange(method, status, time.monotonic() - begin)
        self._silence.end()
        return reply

    def _send(
        self,
        method: str,
        path: str,
        payload: Payload | None,
        token: str | None,
        limit: float,
    ) -> Reply:
        form = payload if isinstance(payload, Form) else None
        body = None if isinstance(payload, Form) or payload is None else encode(payload)
        with self._session.request(
            method,
            f"{self.url}/api{path}",
            data=body,
            files=form.files if form else None,
            headers=_headers(payload, token),
            timeout=(min(CONNECT_TIMEOUT, limit), limit),
            allow_redirects=False,
            stream=True,
            verify=self._verify,
        ) as response:
            return _reply(response, self._read(response))

    def _explain(self, error: Exception, method: str, path: str, deadline: Deadline) -> NpmError:
        """The error for a person."""
        if deadline.left() <= 0 or isinstance(error, requests.exceptions.Timeout):
            if deadline.stopped:
                return NpmStoppedError(
                    f"stopped by signal while {self.url} had not yet answered {method} {path}"
                )
            return self._late(
                f"{self.url} did not answer {method} {path} in time",
                hint="Check that NPM is running and not overloaded.",
            )
        if isinstance(error, requests.exceptions.SSLError):
            return tls.explain(error, self.url, self._ca_file)
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            return NpmAddressError(
                f"{self.url} is not a usable address: {error}", hint=address_hint(self.url)
            )
        return NpmUnavailableError(
            f"NPM cannot be reached at {self.url}: {_reason(error)}",
            hint="Check that NPM is running, and the address in PROXYSYNC_NPM_URL "
            "(NPM's admin port, usually 81).",
            fate=Fate.ENDED if _was_refused(error) else Fate.UNKNOWN,
        )

    def _late(self, message: str, hint: str) -> NpmUnavailableError:
        """The error where no answer came: trying again is of use as long as somebody waits."""
        if not self._silence.is_over:
            return NpmUnavailableError(message, hint=hint)
        self._silence.end()
        return NpmSilentError(message, hint=hint)

    def _read(self, response: requests.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(65536):
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER:
                raise NpmAnswerError(
                    f"{self.url} answered with more than {MAX_ANSWER // 2**20} MiB",
                    hint="This does not look like NPM's API; check PROXYSYNC_NPM_URL.",
                )
        return b"".join(parts)


def _was_refused(error: Exception) -> bool:
    """Whether there never was a connection, so that nothing was sent."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectionError) and isinstance(cause, NewConnectionError)


def _headers(payload: Payload | None, token: str | None) -> dict[str, str]:
    is_json = payload is not None and not isinstance(payload, Form)
    return {
        **({"Content-Type": "application/json"} if is_json else {}),
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }


def _reply(response: requests.Response, content: bytes) -> Reply:
    location, date = (response.headers.get(name) for name in ("Location", "Date"))
    try:
        body = _parse(content)
    except (ValueError, RecursionError):
        return Reply(response.status_code, None, is_json=False, location=location, date=date)
    return Reply(response.status_code, body, is_json=True, location=location, date=date)


def _parse(content: bytes) -> Any:
    """The JSON value; raises ValueError or RecursionError for what no NPM answers."""
    body = json.loads(content, parse_constant=_refuse)
    level, depth = [body], 0
    while level := [p for value in level for p in _parts(value) if type(p) in _CONTAINERS]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
    return _without_surrogates(body) if _SURROGATE.search(content) else body


def _parts(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _without_surrogates(value: Any) -> Any:
    """The value without half surrogates, which neither SQLite nor a terminal can take."""
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(part) for part in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


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
