"""POST of a job of one file that is in the cache while streams hear of all jobs,
against the same without streams. The streams are read meanwhile, by a process on
the same machine."""

import json
import select
import socket
import threading

import files
import load
from client import JOBS, Failure, job
from memory import memory
from post import drain

FIGURES = {"listen_post_ratio": ("of POST without streams", "-"),
           "listen_100_ratio": ("of POST without streams", "-"),
           "listen_memory_kb": ("KB of a worker for each stream", "-")}

STREAMS = 100
ROUNDS = 7
SECONDS = 2


def measure(servers):
    client = servers.client
    args = {"type": "file", "url": servers.origin + "/listen"}
    kb = []

    files.put("/listen", b"x" * 1000)
    drain(client, args)

    def rate():
        posts, _ = load.wrk(servers.front + JOBS, SECONDS, client.token,
                            "post.lua", [json.dumps(job(**args))])
        drain(client, args)
        return posts

    def resident():
        return sum(memory(worker, "VmRSS") for worker in servers.workers())

    def heard(count):
        before = resident()
        with Streams(servers, count) as streams:
            posts = rate()
            kb.append((resident() - before) * 1024 / count)
        load.note("a stream had %.1f MB" % (streams.read / 1e6 / count))
        return posts

    for name, count in ("listen_post_ratio", 1), ("listen_100_ratio", STREAMS):
        kb.clear()
        yield name, "%.2f" % load.alternate(
            "POSTs a second with %d streams, and without" % count, ROUNDS,
            lambda n=count: heard(n), rate)

    yield "listen_memory_kb", "%.1f" % max(kb)


class Streams:
    """Streams of all jobs that are read by a thread."""

    def __init__(self, servers, count):
        request = ("GET /oapi/v1/events HTTP/1.1\r\nHost: bench\r\n"
                   "Authorization: Bearer %s\r\n\r\n"
                   % servers.client.token).encode()
        self.read = 0
        self.sockets = {}

        for _ in range(count):
            stream = socket.create_connection(
                ("127.0.0.1", servers.ports["front"]))
            stream.sendall(request)
            self.sockets[stream.fileno()] = stream

        for stream in self.sockets.values():
            if b"event: hello" not in stream.recv(65536):
                raise Failure("a stream has no beginning")

    def __enter__(self):
        self.over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        for stream in self.sockets.values():
            stream.close()

    def run(self):
        epoll = select.epoll()

        for number in self.sockets:
            epoll.register(number, select.EPOLLIN)

        while not self.over:
            for number, _ in epoll.poll(0.1):
                self.read += len(self.sockets[number].recv(1 << 20))
