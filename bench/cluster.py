"""A Dragonfly cluster of stand-ins (peers.conf): a scheduler that lists 1000 peers,
or as many as are wanted, and these peers; and the nginx in front of it (front-peers.conf), whose worker is
measured.

What is measured has a core of its own, everything else is on another."""

import contextlib
import os
import resource
import subprocess
import sys
import time

import files
import load
from client import Failure
from memory import memory
from servers import DIR, TOP, free_port, until

sys.path.insert(0, TOP + "/t/lib")

from dragonfly_wire import encode

PEERS = 1000
LAYERS = 99             # and the config
CALLS = 512             # at once
SECONDS = 300           # for whatever has to end
QUIET_SECONDS = 3       # of pings alone
PINGS = 200             # a second
POLL = 0.02
SERVICE = "/scheduler.v2.Scheduler/"


class Cluster:
    """Of a worker with this ENGINE; use it as a context."""

    def __init__(self, servers, engine, peers=PEERS, layers=LAYERS):
        cores = os.sched_getaffinity(0)

        self.servers = servers
        self.cores = cores
        self.core = min(cores)
        self.image = files.Image(servers.origin, 1, layers, 100)
        self.servers.values["ENGINE"] = engine
        self.count = peers

    def __enter__(self):

        # all peers listen, and many a shell allows 1024 open files

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        os.sched_setaffinity(0, {max(self.cores)})

        for name in ("redis", "origin"):
            self.pin(name, os.sched_getaffinity(0))

        self.start_peers()

        return self

    def __exit__(self, *_):
        os.sched_setaffinity(0, self.cores)

    def pin(self, name, cores):
        """What is started by the bench or the master inherits it."""
        for pid in (self.servers.processes[name].pid,
                    *self.servers.children(name)):
            os.sched_setaffinity(pid, cores)

    def start_peers(self):
        port = self.servers.ports["peers"] = free_port()
        self.peers = [host("127.0.%d.%d" % (1 + i // 250, 1 + i % 250), port)
                      for i in range(self.count)]

        self.servers.values.update({
            "PEERS_PORT": str(port),
            "SCHEDULER": "127.0.0.2:%d" % port,
            "LISTEN": "\n".join("listen %s:%d http2;"
                                % (peer["ip"], port) for peer in self.peers),
            "CALLS": str(CALLS)})

        self.answer("ListHosts",
                    encode("ListHostsResponse", {"hosts": self.peers}))
        self.servers.start_nginx("peers")

    def answer(self, method, message):
        """What the scheduler answers from here on."""
        files.put(SERVICE + method,
                  b"\0" + len(message).to_bytes(4, "big") + message)

    def worker(self):
        """A new one, which has done nothing yet."""
        self.servers.client.close()
        self.servers.stop("front")
        self.servers.start_nginx("front", "front-peers")

        until("there is a worker", self.servers.workers, SECONDS)
        self.pin("front", {self.core})

        return self.servers.workers()[0]

    @contextlib.contextmanager
    def watched(self, worker, path="/ping", rate=PINGS):
        """Meanwhile: a list that gets at the end by how many MB the worker grew, what
        99 of 100 other requests took at most, in ms, and what each took at most;
        then these two when there was nothing else to do."""
        figures = []

        with self.pings("a quiet worker", path, rate) as quiet:
            time.sleep(QUIET_SECONDS)

        before = memory(worker, "VmRSS")

        with self.pings("the job's worker", path, rate) as busy:
            yield figures

        grown = memory(worker, "VmHWM") - before
        load.note("the worker had %.1f MB, and %.1f more" % (before, grown))
        figures += grown, *busy, *quiet

    def preheat(self, **args):
        """The seconds of a job for all peers."""
        client = self.servers.client
        start = time.monotonic()

        client.ended(client.post(type="image", url=self.image.url,
                                 scope="all_peers", **args), POLL)

        return time.monotonic() - start

    @contextlib.contextmanager
    def pings(self, what, path, rate):
        """Meanwhile: a list that gets the 99th percentile and the longest at the
        end."""
        times = []

        with subprocess.Popen(
                [sys.executable, load.BENCH + "/pings.py",
                 str(self.servers.ports["front"]), path, str(rate)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True) as process:
            try:
                process.stdout.readline()
                yield times
            finally:
                out = process.communicate(timeout=SECONDS)[0].split()

        if process.returncode != 0:
            raise Failure("the pings have ended too early")

        load.note("%s pings of %s: %s ms at most for 99%%, %s ms for all"
                  % (out[0], what, out[1], out[2]))
        times += map(float, out[1:])


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
