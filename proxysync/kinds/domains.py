"""What nginx makes of the names that NPM gives it."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet


def reached(names: Iterable[str]) -> frozenset[str]:
    """The names by which a host with these is reached, in the form that all are compared in.

    nginx takes `.example.com` for both `example.com` and `*.example.com`, and of two hosts that
    have one name it ignores one; NPM compares texts only, and lets both have it.
    """
    found = frozenset(map(str.lower, names))
    both = {name for name in found if name.startswith(".")}
    if not both:
        return found
    return (found - both).union(name[1:] for name in both).union(f"*{name}" for name in both)


def is_served(name: str, in_use: AbstractSet[str]) -> bool:
    """Whether a host with one of the names `in_use` answers to this one."""
    above = {f"*{name[at:]}" for at, letter in enumerate(name) if letter == "."}
    return bool(({name, f".{name}"} | above) & in_use)
