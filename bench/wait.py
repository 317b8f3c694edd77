"""10,000 requests that wait for the end of one job: the memory of each, and how
long after the origin's last byte the last of them has its answer."""

import select
import socket
import time

import load
from client import JOBS, Failure
from memory import memory
from servers import until

FIGURES = {"wait_memory_kb": ("KB of a worker for each", "-"),
           "wait_delay_ms": ("ms until the last answer", "-")}

WAITERS = 10000
ROUNDS = 5
CONNECTIONS = WAITERS + 2000    # of a worker, which may get all of them
AT_ONCE = 100                   # connections that are made before a pause
SECONDS = 60                    # for all of them to wait, or to be answered
BODY = b"x" * 1000


def measure(servers):
    with socket.create_server(("127.0.0.1", 0)) as origin:
        servers.origin = "http://127.0.0.1:%d" % origin.getsockname()[1]
        servers.values["CONNECTIONS"] = str(CONNECTIONS)

        rounds = [wait(servers, origin, i) for i in range(ROUNDS)]

    rounds.sort()
    load.note("wait_memory_kb: %s" % ", ".join("%.1f" % kb for kb, _ in rounds))
    yield "wait_memory_kb", "%.1f" % rounds[ROUNDS // 2][0]

    delays = sorted(ms for _, ms in rounds)
    load.note("wait_delay_ms: %s" % ", ".join("%.0f" % ms for ms in delays))
    yield "wait_delay_ms", "%.0f" % delays[ROUNDS // 2]


def wait(servers, origin, i):
    """KB of each request, and ms until the last answer."""
    servers.restart_front()
    servers.client.request("GET", JOBS)     # each worker knows the token then

    before = sum(memory(worker, "VmRSS") for worker in servers.workers())
    job = servers.client.post(type="file",
                              url="%s/held-%d" % (servers.origin, i))
    origin.settimeout(SECONDS)
    call, _ = origin.accept()

    with call:
        call.recv(65536)
        waiters = ask(servers, job)
        kb = (sum(memory(worker, "VmRSS") for worker in servers.workers())
              - before) * 1024 / WAITERS

        call.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-"
                     b"stream\r\nContent-Length: %d\r\n\r\n%s"
                     % (len(BODY), BODY))
        ms = answered(waiters, time.monotonic())

    return kb, ms


def ask(servers, job):
    """Connections whose requests wait."""
    request = ("GET %s/%d?wait=10m&fail=1 HTTP/1.1\r\nHost: bench\r\n"
               "Authorization: Bearer %s\r\n\r\n"
               % (JOBS, job, servers.client.token)).encode()
    waiters = {}

    for i in range(WAITERS):
        waiter = socket.create_connection(
            ("127.0.0.1", servers.ports["front"]), SECONDS)
        waiter.sendall(request)
        waiters[waiter.fileno()] = waiter

        if i % AT_ONCE == AT_ONCE - 1:
            servers.client.get(job)

    # requests are read in their order by each worker, so all of them wait when
    # both workers have had the time to look once more

    def quiet():
        now = ticks(servers)
        time.sleep(0.5)
        return ticks(servers) - now <= 2

    until("%d requests wait" % WAITERS, quiet, SECONDS)

    return waiters


def ticks(servers):
    """The CPU time of the workers."""
    total = 0

    for worker in servers.workers():
        with open("/proc/%d/stat" % worker) as f:
            total += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))

    return total


def answered(waiters, start):
    """How many ms after START the last one has its answer."""
    epoll = select.epoll()

    for number in waiters:
        epoll.register(number, select.EPOLLIN)

    while waiters:
        events = epoll.poll(SECONDS)

        if not events:
            raise Failure("%d requests have no answer" % len(waiters))

        for number, _ in events:
            epoll.unregister(number)
            waiter = waiters.pop(number)

            if not waiter.recv(65536).startswith(b"HTTP/1.1 200 "):
                raise Failure("a request was not answered with 200")

            waiter.close()

    return (time.monotonic() - start) * 1000
