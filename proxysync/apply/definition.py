"""What applying asks of a definition: nothing else in this room knows a field of NPM's."""

from proxysync.kinds import Kind
from proxysync.model import Fields


def is_enabled(kind: Kind, fields: Fields) -> bool:
    """Whether NPM is to serve an object with these fields."""
    del kind
    return bool(fields.get("enabled", True))


def has_certificate(kind: Kind, fields: Fields) -> bool:
    """Whether it is served over HTTPS."""
    del kind
    return bool(fields.get("certificate_id"))


def access_list_of(kind: Kind, fields: Fields) -> int | None:
    """The id of the access list that keeps visitors out."""
    del kind
    return fields.get("access_list_id") or None


def is_peculiar(fields: Fields) -> bool:
    """Whether its own configuration may answer visitors, in whatever way, at its root."""
    locations = fields.get("locations") or ()
    return bool(fields.get("advanced_config")) or any(one["path"] == "/" for one in locations)
