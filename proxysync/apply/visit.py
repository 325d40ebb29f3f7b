"""Asks NPM's nginx for a site as a visitor would; see `settings.verify`."""

import time
from dataclasses import dataclass

from proxysync.model import Fields

TIMEOUT = 5.0
"""Seconds for one answer."""

RELOAD = 5.0
"""Seconds that a reload of nginx may take: with 400 hosts a slow machine took 0.8 s."""

PAUSE = 0.2
"""Seconds between two looks while a reload is under way."""


@dataclass(frozen=True)
class Visitor:
    """Visits sites at `url`, the address of NPM's nginx; without one it sees nothing wrong."""

    url: str | None = None

    def answers(self, fields: Fields) -> bool:
        """Whether the site answers now with anything but a server error."""
        status = self._status(fields)
        return status is not None and status < 500

    def trouble(self, fields: Fields, *, answered: bool, protected: bool) -> str | None:
        """What is wrong with a site that was just written, once nginx has had time to reload.

        `answered` tells whether it did before the write, `protected` whether nobody may get
        in without a password.
        """
        if self.url is None or not fields.get("enabled"):
            return None
        deadline = time.monotonic() + RELOAD
        while trouble := self._look(fields, answered=answered, protected=protected):
            if time.monotonic() > deadline:
                return trouble
            time.sleep(PAUSE)
        return None

    def _look(self, fields: Fields, *, answered: bool, protected: bool) -> str | None:
        status = self._status(fields)
        name = _name(fields)
        if protected and status is not None and 200 <= status < 300:
            return f"{name} is behind an access list, but answers a stranger with HTTP {status}"
        if answered and status is None:
            return f"{name} answered before, and now there is no answer at {self.url}"
        if answered and status is not None and status >= 500:
            return f"{name} answered before, and now it answers HTTP {status}"
        return None

    def _status(self, fields: Fields) -> int | None:
        """The status of the answer; None for no answer."""
        if self.url is None:
            return None
        import requests

        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(
                    self.url,
                    headers={"Host": _name(fields), "Connection": "close"},
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    stream=True,
                )
                return answer.status_code
        except requests.RequestException:
            return None


def _name(fields: Fields) -> str:
    """A name that the site answers to."""
    return str(fields["domain_names"][0]).replace("*", "proxysync-check")
