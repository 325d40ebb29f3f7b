"""What applying asks of a definition: nothing else in this room knows a field of NPM's."""

from proxysync.kinds import Kind
from proxysync.kinds.references import access_list_in
from proxysync.model import Fields


def is_enabled(kind: Kind, fields: Fields) -> bool:
    """Whether NPM is to serve an object with these fields."""
    return kind.is_enabled(fields)


def has_certificate(kind: Kind, fields: Fields) -> bool:
    """Whether it is served over HTTPS."""
    return kind.served(fields).https


def access_list_of(kind: Kind, fields: Fields) -> int | None:
    """The id of the access list that keeps visitors out."""
    del kind
    return access_list_in(fields) or None


def is_peculiar(kind: Kind, fields: Fields) -> bool:
    """Whether its own configuration may answer visitors, in whatever way, at its root."""
    return kind.served(fields).is_peculiar
