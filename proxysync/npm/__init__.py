"""The API client of Nginx Proxy Manager."""

from proxysync.npm.errors import NpmError

__all__ = ["NpmError"]
