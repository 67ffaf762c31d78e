"""What one peer, and all of them together, may take from the server."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Times are seconds.

    head_bytes: request line and headers, thirty times what the API server sends; they are held
        several times, and of all connections there may be, 64 KiB each took 450 MB together.
    headers: their number, where the API server sends eight; in memory, the shortest take twenty
        times their bytes.
    body_bytes: the API server takes objects of 3 MiB, and an update carries two.
    buffered_bytes: of bodies that are not complete, and of reviews that wait for their turn or for
        the rights of their requester, over all peers.
    slow_bytes: of a review; longer ones are judged one at a time, with others in between.
    patience: that such a one waits for its turn.
    receive: for a whole request, from its first byte. write: that a peer may leave an answer
        unread. linger: that a refused peer may go on sending, so that it gets to read why.
    handshake: for a TLS handshake; shutdown: for its end.
    idle: of a connection between requests; longer than the 90 s after which the API server's
        client closes, because a POST on a connection that we just closed is not repeated.
    connections: open at the same time. pipelined: requests of one that wait for the answer to
        another; each takes forty times its bytes, and Go's client sends none.
    in_flight: requests that have come whole and are not answered; at a tenth of a millisecond each,
        the last of them waits a tenth of a second.
    """

    head_bytes: int = 16 * 1024
    headers: int = 100
    body_bytes: int = 7 * MIB
    buffered_bytes: int = 64 * MIB
    slow_bytes: int = 64 * 1024
    patience: float = 1.0
    receive: float = 5.0
    write: float = 5.0
    linger: float = 1.0
    handshake: float = 10.0
    shutdown: float = 2.0
    idle: float = 120.0
    connections: int = 2048
    pipelined: int = 16
    in_flight: int = 1000
