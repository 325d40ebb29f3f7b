"""Which entries a person means by the names given to a command."""

from collections.abc import Collection, Sequence

from proxysync.model import Key, label_among
from proxysync.model.errors import ProxysyncError


def choose(names: Sequence[str], known: Collection[Key], what: str = "the file") -> list[Key]:
    """The keys for these names: a name where it is unique, else `kind/name`.

    `what` is where they are looked for. Raises ProxysyncError.
    """
    found = {name: [key for key in known if name in (key.name, key.qualified)] for name in names}
    unknown = [name for name, keys in found.items() if not keys]
    if unknown:
        there = ", ".join(sorted(map(label_among(known), known))) or "none"
        raise ProxysyncError(
            f"{what} has no entry named {', '.join(unknown)}", hint=f"It has: {there}."
        )
    for name, keys in found.items():
        if len(keys) > 1:
            raise ProxysyncError(
                f"{what} has several entries named {name}",
                hint=f"Write {' or '.join(key.qualified for key in keys)}.",
            )
    return [keys[0] for keys in found.values()]
