"""proxysync keeps Nginx Proxy Manager in line with a YAML file."""

__version__ = "0.1.0"
