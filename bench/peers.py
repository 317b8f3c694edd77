"""A job of 100 blobs to 1000 of Dragonfly's peers: DownloadTask calls a second,
against a plain gRPC client in C++ (peers.cc) that makes the same calls to the
same stand-ins, and what the worker's memory and its other requests make of it.

What is measured has a core of its own, everything else is on another."""

import contextlib
import os
import resource
import statistics
import subprocess
import sys
import time
import urllib.request

import files
import load
from client import Failure
from memory import memory
from servers import DIR, TOP, free_port, until

sys.path.insert(0, TOP + "/t/lib")

from dragonfly_wire import encode

FIGURES = {"peers_ratio": ("of a C++ client's time", "<= 1.5"),
           "peers_calls_per_s": ("a second", ">= 2000"),
           "peers_memory_mb": ("MB of the worker", "< 64"),
           "peers_p99_ms": ("ms of other requests", "< 20")}

PEERS = 1000
LAYERS = 99             # and the config
CALLS = 512             # at once
TASKS = 8               # concurrent_task_count
FILTER = ["parameter-%d" % i for i in range(32)]    # as many as by default
ROUNDS = 3
SECONDS = 300           # for a job, and for the client
QUIET_SECONDS = 3       # of pings alone
PINGS = 200             # a second
POLL = 0.02
LIST_HOSTS = "/scheduler.v2.Scheduler/ListHosts"


def measure(servers):
    cores = os.sched_getaffinity(0)

    # 1000 peers listen, and many a shell allows 1024 open files

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    try:
        os.sched_setaffinity(0, {max(cores)})
        yield from compare(Bench(servers, min(cores)))
    finally:
        os.sched_setaffinity(0, cores)


def compare(bench):
    rounds = []

    def job():
        rounds.append(bench.job())
        return rounds[-1][0]

    ratio = load.alternate("seconds of a job and of the C++ client", ROUNDS,
                           job, bench.client)
    seconds, grown, p99 = map(statistics.median, zip(*rounds))

    yield "peers_ratio", "%.2f" % ratio
    yield "peers_calls_per_s", "%.0f" % (bench.calls / seconds)
    yield "peers_memory_mb", "%.1f" % grown
    yield "peers_p99_ms", "%.1f" % p99


class Bench:
    """The stand-ins, and what calls them, on CORE."""

    def __init__(self, servers, core):
        self.servers = servers
        self.core = core
        self.looks = 0
        self.image = files.Image(servers.origin, 1, LAYERS, 100)
        self.calls = len(self.image.blobs) * PEERS

        for name in ("redis", "origin"):
            self.pin(name, os.sched_getaffinity(0))

        self.start_peers()
        self.build_client()

    def pin(self, name, cores):
        """What is started by the bench or the master inherits it."""
        for pid in (self.servers.processes[name].pid,
                    *self.servers.children(name)):
            os.sched_setaffinity(pid, cores)

    def start_peers(self):
        port = self.servers.ports["peers"] = free_port()
        peers = [("127.0.%d.%d" % (1 + i // 250, 1 + i % 250), port)
                 for i in range(PEERS)]

        self.servers.values.update({
            "PEERS_PORT": str(port),
            "SCHEDULER": "127.0.0.2:%d" % port,
            "LISTEN": "\n".join("listen %s:%d http2;" % peer
                                for peer in peers),
            "CALLS": str(CALLS)})

        hosts = encode("ListHostsResponse",
                       {"hosts": [host(*peer) for peer in peers]})
        files.put(LIST_HOSTS, b"\0" + len(hosts).to_bytes(4, "big") + hosts)

        with open(DIR + "/peers", "w") as f:
            f.writelines("%s:%d\n" % peer for peer in peers)

        self.servers.start_nginx("peers")

    def build_client(self):
        """And the requests that it sends, which are those of the module."""
        os.makedirs(DIR + "/requests")

        for i, path in enumerate(self.image.blobs):
            with open("%s/requests/%d" % (DIR, i), "wb") as f:
                f.write(encode("DownloadTaskRequest", {"download": {
                    "url": self.servers.origin + path, "timeout": 3600,
                    "filtered_query_params": FILTER}}))

        subprocess.run(["g++", "-std=c++17", "-O2", "-DNDEBUG", "-Wall",
                        "-o", DIR + "/client", load.BENCH + "/peers.cc",
                        "-lgrpc++", "-lgrpc", "-lgpr",
                        "-labsl_synchronization"],
                       check=True, timeout=SECONDS)

    def client(self):
        """Its seconds."""
        with self.counted():
            out = subprocess.run(
                ["taskset", "-c", str(self.core), DIR + "/client",
                 DIR + "/peers", DIR + "/requests", str(CALLS)],
                check=True, stdout=subprocess.PIPE, text=True,
                timeout=SECONDS).stdout

        return float(out)

    def job(self):
        """Its seconds, by how many MB the worker grew, and what 99 of 100 other
        requests took at most, in ms. The worker is a new one each time."""
        self.restart_front()

        worker, = self.servers.workers()

        with self.pings("a quiet worker"):
            time.sleep(QUIET_SECONDS)

        before = memory(worker, "VmRSS")

        with self.counted(), self.pings("the job's worker") as p99:
            seconds = self.preheat()

        grown = memory(worker, "VmHWM") - before
        load.note("the worker had %.1f MB, and %.1f more" % (before, grown))

        return seconds, grown, p99[0]

    def restart_front(self):
        self.servers.client.close()
        self.servers.stop("front")
        self.servers.start_nginx("front", "front-peers")

        until("there is a worker", self.servers.workers, SECONDS)
        self.pin("front", {self.core})

    def preheat(self):
        client = self.servers.client
        start = time.monotonic()

        client.ended(client.post(type="image", url=self.image.url,
                                 scope="all_peers",
                                 concurrent_task_count=TASKS,
                                 filtered_query_params="&".join(FILTER)), POLL)

        return time.monotonic() - start

    @contextlib.contextmanager
    def pings(self, what):
        """Meanwhile: a list that gets the 99th percentile at the end."""
        p99 = []

        with subprocess.Popen(
                [sys.executable, load.BENCH + "/pings.py",
                 str(self.servers.ports["front"]), "/ping", str(PINGS)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True) as process:
            try:
                yield p99
            finally:
                out = process.communicate(timeout=SECONDS)[0].split()

        if process.returncode != 0:
            raise Failure("the pings have ended too early")

        load.note("%s pings of %s: %s ms at most for 99%%, %s ms for all"
                  % (out[0], what, out[1], out[2]))
        p99.append(float(out[1]))

    @contextlib.contextmanager
    def counted(self):
        """Each peer was called once for each blob, and nobody twice; each call
        had a connection of its own."""
        before = self.counts()
        yield
        after = self.counts()

        connections, requests = (b - a for a, b in zip(before, after))

        if requests != self.calls or connections != self.calls:
            raise Failure("the peers got %d calls by %d connections, not %d"
                          % (requests, connections, self.calls))

    def counts(self):
        """The connections to the peers so far, and the requests."""
        with urllib.request.urlopen(
                "http://127.0.0.1:%d/status" % self.servers.ports["peers"],
                timeout=SECONDS) as answer:
            accepts, _, requests = answer.read().split(b"\n")[2].split()

        # those of this function have a connection each, and so have the lists
        # of hosts

        self.looks += 1

        with open(DIR + "/scheduler.log") as f:
            others = self.looks + len(f.readlines())

        return int(accepts) - others, int(requests) - others


def host(ip, port):
    """As a dfdaemon announces itself, and a scheduler lists it."""
    name = "peer-" + ip.replace(".", "-")
    gb = 1 << 30

    return {
        "id": "%s-%s" % (ip, name), "hostname": name, "ip": ip, "port": port,
        "download_port": port, "proxy_port": port + 1, "os": "linux",
        "platform": "linux", "platform_family": "unix",
        "platform_version": "12", "kernel_version": "6.1.0-32-amd64",
        "cpu": {"logical_count": 16, "physical_count": 16, "percent": 12.5,
                "times": {}},
        "memory": {"total": 64 * gb, "available": 48 * gb, "used": 16 * gb,
                   "used_percent": 25.0, "process_used_percent": 0.4,
                   "free": 40 * gb},
        "network": {"location": "room|rack", "idc": "bench",
                    "max_rx_bandwidth": 10 * gb, "rx_bandwidth": 0,
                    "max_tx_bandwidth": 10 * gb, "tx_bandwidth": 0},
        "disk": {"total": 500 * gb, "free": 300 * gb, "used": 200 * gb,
                 "used_percent": 40.0},
        "build": {"git_version": "1.5.1", "git_commit": "ff17c0b77",
                  "go_version": "", "platform": ""},
        "scheduler_cluster_id": 1, "name": name,
    }
