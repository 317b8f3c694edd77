#!/usr/bin/env python3
"""bench/pings.py PORT PATH RATE [CONNECTIONS]: how long others have to wait.

Sends so many GETs a second over that many connections, one by default, until its
standard input ends, and prints how many there were, and the 99th percentile and
the longest of their times in ms. A time begins when the request was due: what
waits behind a slow one is slow too. Before, it prints an empty line as soon as
each connection has had an answer, which is not counted."""

import collections
import contextlib
import os
import re
import selectors
import socket
import sys
import time

PORT, PATH, PAUSE = int(sys.argv[1]), sys.argv[2], 1 / float(sys.argv[3])
CONNECTIONS = int(sys.argv[4]) if len(sys.argv) > 4 else 1
TIMEOUT = 30            # seconds without an answer
REQUEST = b"GET %s HTTP/1.1\r\nHost: bench\r\n\r\n" % PATH.encode()


class Connection:
    def __init__(self, selector):
        self.socket = socket.create_connection(("127.0.0.1", PORT), TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(self.socket, selectors.EVENT_READ, self)

    def send(self, due):
        self.due = due
        self.answer = b""
        self.socket.sendall(REQUEST)

    def begin(self):
        """As nginx accepts a connection when it has time for it, and answers the
        first request when that has come."""
        self.send(0)
        while not self.answered():
            pass

    def answered(self):
        """Whether the answer is there: without a body (204), or with one whose
        length it tells."""
        data = self.socket.recv(65536)
        if not data:
            sys.exit("the connection was closed")

        self.answer += data
        head, end, body = self.answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)

        if not end or len(body) < (int(length[1]) if length else 0):
            return False
        if not re.match(rb"HTTP/1\.1 20[04] ", head):
            sys.exit(head.decode(errors="replace"))

        return True


def own_time():
    """What it waits for is to be nginx, and no processor: root may have that."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def main():
    own_time()
    times = []
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)

    idle = [Connection(selector) for _ in range(CONNECTIONS)]
    for connection in idle:
        connection.begin()
    print(flush=True)

    waiting = collections.deque()       # when they were due
    due = time.monotonic()
    last = due                          # answer
    ended = False

    # all that were due are answered

    while not ended or waiting or len(idle) < CONNECTIONS:
        wait = 1 if ended else max(due - time.monotonic(), 0)

        for key, _ in selector.select(wait):
            if key.data is None:
                ended = True
                selector.unregister(sys.stdin)
            elif key.data.answered():
                last = time.monotonic()
                times.append((last - key.data.due) * 1000)
                idle.append(key.data)

        while not ended and due <= time.monotonic():
            waiting.append(due)
            due += PAUSE

        while waiting and idle:
            idle.pop().send(waiting.popleft())

        if len(idle) < CONNECTIONS and time.monotonic() - last > TIMEOUT:
            sys.exit("no answer in time")

    times.sort()
    print(len(times), "%.2f" % times[len(times) * 99 // 100],
          "%.2f" % times[-1])


main()
