"""proxysync keeps Nginx Proxy Manager in sync with a YAML file."""

__version__ = "0.1.0"
