"""Network addresses as users write them."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

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
    rest, _, tail = text.strip().rpartition(":")
    if not rest and tail.isdecimal():
        host, port = "", tail
    elif tail.isdecimal() and (":" not in rest or rest.startswith("[")):
        host, port = rest, tail
    else:
        host, port = text.strip(), str(default_port) if default_port is not None else ""
    host = host.removeprefix("[").removesuffix("]") or LOOPBACK
    well_formed = port.isdecimal() and int(port) <= 65535 and not set(host) & set(" /[],")
    if not well_formed or (":" in host and not _is_ip(host)):
        raise InputError(
            f"'{text}' is no network address: give HOST:PORT, such as {LOOPBACK}:8000, or PORT."
        )
    return Address(host, int(port))


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
