"""A socket that sends datagrams and never waits."""

from __future__ import annotations

import socket

from tracker.system.closing import Closing
from tracker.system.network_address import LOOPBACK, Address, resolve


class UdpSender(Closing):
    """Sends datagrams to one address. A context manager.

    Nobody has to listen there, and a network that is down must not stop a recording: what cannot be
    sent is counted and lost, as is the way of UDP.

    Attributes:
        lost: datagrams that could not even be handed to the network.

    Args:
        address: where to.

    Raises:
        InputError: the host is unknown.
    """

    def __init__(self, address: Address) -> None:
        places = resolve(address)
        # "localhost" may mean ::1 first, and who receives such packets listens on IPv4.
        family, host = next((p for p in places if p[1] == LOOPBACK), places[0])
        self._target = (host, address.port)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.lost = 0

    def send(self, data: bytes) -> None:
        """Send a datagram, or count it as lost."""
        try:
            self._socket.sendto(data, self._target)
        except OSError:
            self.lost += 1

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()
