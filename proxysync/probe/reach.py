"""Which addresses are not for whoever may only ask: this machine's own, and those beside it."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
        ),
    )
)
"""Where clouds tell their machines about themselves, passwords included."""

_EMBEDDING = (ip_network("64:ff9b::/96"), ip_network("::/96"))
"""IPv6 addresses that end in the IPv4 address that is meant."""


def is_local(text: str) -> bool:
    """Whether it is loopback, link-local, no single host's, or tells of a machine in a cloud."""
    address = _meant(ip_address(text.partition("%")[0]))
    return (
        address in METADATA
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, IPv4Address) and (address.packed[0] in (0, 255)))
        or (isinstance(address, IPv6Address) and address.is_site_local)
    )


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    small = int(address) < 2**16  # :: and ::1 are what they are
    if not small and any(address in network for network in _EMBEDDING):
        return IPv4Address(address.packed[-4:])
    return address
