"""The frozen values that all rooms share, and the few words about text, time and errors.

Nothing in here knows how anything is done: it imports no other room.
"""

from proxysync.model.key import Key, Keyed, label_among
from proxysync.model.objects import (
    AccessList,
    Applied,
    Certificate,
    Desired,
    Fields,
    Live,
    Marker,
    Reference,
    Snapshot,
    Upstream,
)

__all__ = [
    "AccessList",
    "Applied",
    "Certificate",
    "Desired",
    "Fields",
    "Key",
    "Keyed",
    "Live",
    "Marker",
    "Reference",
    "Snapshot",
    "Upstream",
    "label_among",
]
