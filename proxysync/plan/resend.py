"""Why a host that NPM shows as it should be is written all the same."""

from proxysync.kinds import KINDS, is_enabled
from proxysync.kinds.refusal import refusal_of
from proxysync.model import Applied, Live
from proxysync.plan.match import same_host

UNCONFIRMED = (
    "NPM answered the last write with an error, so nginx may not run what NPM shows; "
    "it is written again"
)

UNSERVED = (
    "NPM says that all is well, but visitors do not get the site from nginx; it is written again"
)

UNTESTED = (
    "NPM has it, but does not say whether nginx serves it, as after a write that was cut off; "
    "it is written again"
)


def why_resend(row: Applied | None, live: Live, *, as_asked: bool, unserved: bool) -> str | None:
    """Why nginx may not, or does not, serve the host as NPM shows it; None where it seems to.

    `as_asked` tells that NPM has it as the file asks, `unserved` that the edge does not serve it.
    """
    if row is not None and row.unconfirmed:
        return UNCONFIRMED
    if as_asked and live.online is False and is_enabled(live):
        return f"nginx does not serve it: {refusal_of(live)}"
    if as_asked and _disabled_by_another(row, live):
        return "disabled in NPM, which may go on serving it; it is disabled again"
    if live.online is None and is_enabled(live) and KINDS[live.kind].is_host:
        is_known = row is not None and same_host(row, live)
        if not is_known:
            return UNTESTED
    return UNSERVED if unserved and is_enabled(live) else None


def _disabled_by_another(row: Applied | None, live: Live) -> bool:
    """NPM goes on serving a host that was disabled by a PUT, and nothing tells it from others."""
    return row is not None and not is_enabled(live) and is_enabled(row)
