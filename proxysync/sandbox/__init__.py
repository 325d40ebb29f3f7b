"""A look-alike of Nginx Proxy Manager: its API and its sites over real HTTP, in this process.

For the demo, for tests and for rehearsals. It knows nothing of the rest of proxysync.
"""

from proxysync.sandbox.sandbox import Sandbox

__all__ = ["Sandbox"]
