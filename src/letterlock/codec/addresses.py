"""What an address says by itself: whether it stays on this machine, where plaintext is permitted (SR-19), and whether it
is one of the whole Internet, as every one that a peer names has to be (SR-14)."""

from __future__ import annotations

import ipaddress

__all__ = ["is_loopback", "is_public"]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Whether this is this machine: `localhost`, or a literal address, in brackets or not. No name is looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether an IP address is one of the whole Internet, also behind the ways to write an IPv4 address as IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found.is_site_local:  # fec0::/10 (RFC 3879), which the library takes for global
            return False
    return found.is_global and not found.is_multicast and not found.is_unspecified
