"""The hold after a rollback: NPM stays as it is until the file's content changes, or `resume`."""

from proxysync.model.errors import ProxysyncError
from proxysync.store.state import Hold


def describe(hold: Hold) -> str:
    """What it means, in a sentence without its full stop."""
    return (
        f"NPM was rolled back to before run {hold.run_id}; it stays so until the content of the "
        "file changes or `proxysync resume` is given"
    )


def require_no_hold(hold: Hold | None) -> None:
    """Raises ProxysyncError while NPM is to stay as it was rolled back to."""
    if hold is not None:
        raise ProxysyncError(
            f"NPM was rolled back to before run {hold.run_id} and stays so, so nothing was written",
            hint="`proxysync resume` lets it be brought in sync with this file again; a change of "
            "the file's content does, too.",
        )
