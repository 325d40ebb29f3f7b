"""The one error root: whatever a user can meet says what happened, where, why and what to do."""


class ProxysyncError(Exception):
    """Something a person has to know about.

    `message` says what happened and why, `hint` what to do next, and `code` is a stable
    word for scripts and events (`npm.unreachable`, say).
    """

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message
