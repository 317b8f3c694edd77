"""A job of 100 blobs to 1000 of Dragonfly's peers: DownloadTask calls a second,
against a plain gRPC client in C++ (peers.cc) that makes the same calls to the
same stand-ins, and what the worker's memory and its other requests make of it."""

import contextlib
import os
import statistics
import subprocess
import urllib.request

import load
from client import Failure
from cluster import CALLS, PEERS, SECONDS, Cluster, encode
from servers import DIR

FIGURES = {"peers_ratio": ("of a C++ client's time", "<= 1.5"),
           "peers_calls_per_s": ("a second", ">= 2000"),
           "peers_memory_mb": ("MB of the worker", "< 64"),
           "peers_p99_ms": ("ms of other requests", "< 20")}

TASKS = 8               # concurrent_task_count
FILTER = ["parameter-%d" % i for i in range(32)]    # as many as by default
ROUNDS = 3


def measure(servers):
    with Cluster(servers, "peers") as cluster:
        yield from compare(Bench(cluster))


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
    """The worker's job and the client's, which make the same calls."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.servers = cluster.servers
        self.image = cluster.image
        self.looks = 0
        self.calls = len(self.image.blobs) * PEERS

        self.build_client()

    def build_client(self):
        """And the requests that it sends, which are those of the module."""
        os.makedirs(DIR + "/requests")

        with open(DIR + "/peers", "w") as f:
            f.writelines("%s:%d\n" % (peer["ip"], peer["port"])
                         for peer in self.cluster.peers)

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
                ["taskset", "-c", str(self.cluster.core), DIR + "/client",
                 DIR + "/peers", DIR + "/requests", str(CALLS)],
                check=True, stdout=subprocess.PIPE, text=True,
                timeout=SECONDS).stdout

        return float(out)

    def job(self):
        """Its seconds, and what its worker was seen to do. The worker is a new one
        each time."""
        worker = self.cluster.worker()

        with self.cluster.watched(worker) as figures, self.counted():
            seconds = self.cluster.preheat(
                concurrent_task_count=TASKS,
                filtered_query_params="&".join(FILTER))

        return seconds, *figures[:2]

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
