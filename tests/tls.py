"""A certificate of an authority that nobody trusts yet, as files."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Issued:
    """One for 127.0.0.1; whoever is given `ca` trusts it."""

    certificate: Path
    key: Path
    ca: Path


def issue(folder: Path) -> Issued:
    """A new one, in this folder."""
    ca = trustme.CA()
    pair = ca.issue_cert("127.0.0.1")
    issued = Issued(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
    pair.cert_chain_pems[0].write_to_path(str(issued.certificate))
    pair.private_key_pem.write_to_path(str(issued.key))
    ca.cert_pem.write_to_path(str(issued.ca))
    return issued
