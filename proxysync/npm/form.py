"""Files that are uploaded to NPM; nothing else is sent in this form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Form:
    """Texts by the names that NPM knows them by. They may be keys, and are shown nowhere."""

    texts: Mapping[str, str] = field(repr=False)

    @property
    def files(self) -> dict[str, tuple[str, bytes]]:
        """As requests takes them."""
        return {name: (f"{name}.pem", text.encode()) for name, text in self.texts.items()}


Payload = Mapping[str, Any] | Form
"""What a request carries: JSON, or files."""
