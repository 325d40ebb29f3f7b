"""Which entries a person means by the names given to a command."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from proxysync.model import Key, label_among
from proxysync.model.errors import ProxysyncError

MOST_TOLD = 20
"""Names that a hint lists."""


@dataclass(frozen=True)
class Only:
    """What else a person asks of entries; None lets all pass."""

    kind: str | None = None
    tag: str | None = None

    def takes(self, kind: str, tags: Collection[str]) -> bool:
        return self.kind in (None, kind) and (self.tag is None or self.tag in tags)

    def require_tag(self, known: Collection[str]) -> None:
        """Raises ProxysyncError for a tag that is none of these."""
        if self.tag is not None and self.tag not in known:
            hint = did_you_mean([self.tag], known) or f"There are: {', '.join(sorted(known))}."
            raise ProxysyncError(
                f"no entry of the file has the tag {self.tag}", hint=hint if known else None
            )


ALL = Only()


def choose(names: Sequence[str], known: Collection[Key], what: str = "the file") -> list[Key]:
    """The keys for these names: a name where it is unique, else `kind/name`.

    `what` is where they are looked for. Raises ProxysyncError.
    """
    found = {name: [key for key in known if name in (key.name, key.qualified)] for name in names}
    unknown = [name for name, keys in found.items() if not keys]
    if unknown:
        there = sorted(map(label_among(known), known))
        raise ProxysyncError(
            f"there is no entry named {', '.join(unknown)} in {what}",
            hint=did_you_mean(unknown, {*there, *(key.name for key in known)}) or _listed(there),
        )
    for name, keys in found.items():
        if len(keys) > 1:
            raise ProxysyncError(
                f"there are several entries named {name} in {what}",
                hint=f"Write {' or '.join(key.qualified for key in keys)}.",
            )
    return [keys[0] for keys in found.values()]


def did_you_mean(unknown: Iterable[str], known: Collection[str]) -> str | None:
    """What was meant by names that are not there, if anything is like them."""
    lower = {name.lower(): name for name in sorted(known)}
    found = (get_close_matches(name.lower(), lower, 1) for name in unknown)
    near = dict.fromkeys(lower[match] for matches in found for match in matches)
    return f"did you mean {' and '.join(near)}?" if near else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    return f"It has: {', '.join(names[:MOST_TOLD]) or 'none'}{more}."
