"""What keeps the file of a repository from being had."""

from proxysync.model.errors import ProxysyncError


class GitError(ProxysyncError):
    """`commit` is the one that cannot be taken, None where it is about no one commit.

    `cause` tells one trouble from another: what goes on under other words is no new one.
    """

    code = "git.failed"

    def __init__(
        self, message: str, *, hint: str | None = None, code: str, commit: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.commit = commit

    @property
    def cause(self) -> str:
        return f"{self.code} {self.commit or ''}"
