"""Network addresses as users write them."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from model.errors import InputError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """A host and a port.

    Attributes:
        host: name or IP address, without brackets.
        port: 1 to 65535; 0 lets the system choose, where that makes sense.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str, default_port: int | None = None) -> Address:
    """Read "HOST:PORT", "[IPV6]:PORT", "PORT", or, with a default port, "HOST".

    Without a host it is this machine, under an address that others cannot reach.

    Raises:
        InputError: not such a text, or the port is out of range.
    """
    given = text.strip()
    if given.isdecimal():  # a port alone
        given = f":{given}"
    elif _is_ip(given) and ":" in given:  # its colons are not a port's
        given = f"[{given}]"
    try:
        parts = urlsplit(f"//{given}")
        host, port = parts.hostname or LOOPBACK, parts.port
    except ValueError:  # no number, beyond 65535, brackets that hold no address
        host, port, parts = "", None, urlsplit("")
    port = default_port if port is None else port
    # Neither a path nor a user, and no list of hosts.
    if port is None or parts.netloc != given or parts.username or not host or set(host) & set(" ,"):
        raise InputError(
            f"'{text}' is no network address: give HOST:PORT, such as {LOOPBACK}:8000, or PORT."
        )
    return Address(host, port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host; names count as loopback if all they mean is.

    Raises:
        InputError: the name is unknown.
    """
    return all(ipaddress.ip_address(found).is_loopback for _, found in resolve(Address(host, 0)))


def resolve(address: Address) -> list[tuple[socket.AddressFamily, str]]:
    """Address families and IP addresses of a host, the system's favourite first.

    Raises:
        InputError: the name is unknown.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"the host '{address.host}' is unknown: check its name, or give an IP address."
        ) from error
    # A zone ("%eth0") belongs to the socket, not to the number.
    return [(family, str(where[0]).partition("%")[0]) for family, *_, where in found]


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
