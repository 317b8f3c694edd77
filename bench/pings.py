#!/usr/bin/env python3
"""bench/pings.py PORT PATH RATE: how long others have to wait.

Sends so many GETs a second over one connection, until its standard input ends,
and prints how many there were, and the 99th percentile and the longest of their
times in ms. A time begins when the request was due: what waits behind a slow
one is slow too."""

import re
import select
import socket
import sys
import time

PORT, PATH, PAUSE = int(sys.argv[1]), sys.argv[2], 1 / float(sys.argv[3])
TIMEOUT = 30            # seconds for one answer
REQUEST = b"GET %s HTTP/1.1\r\nHost: bench\r\n\r\n" % PATH.encode()


def ping(connection):
    """PATH answers 204, or 200 with the length of what follows."""
    connection.sendall(REQUEST)
    answer = b""

    while True:
        data = connection.recv(65536)
        if not data:
            sys.exit("the connection was closed")
        answer += data

        head, end, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)

        if end and len(body) >= (int(length[1]) if length else 0):
            break

    if not head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 204 ")):
        sys.exit(head.decode(errors="replace"))


def main():
    times = []

    with socket.create_connection(("127.0.0.1", PORT), TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = time.monotonic()

        while not select.select([sys.stdin], [], [],
                                max(due - time.monotonic(), 0))[0]:
            ping(connection)
            times.append((time.monotonic() - due) * 1000)
            due += PAUSE

    times.sort()
    print(len(times), "%.2f" % times[len(times) * 99 // 100],
          "%.2f" % times[-1])


main()
