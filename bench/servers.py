"""The servers of a benchmark: a Redis, an origin and an nginx with the module,
each on a loopback port of its own, with all their files in one folder.

TEST_NGINX_BINARY and TEST_NGINX_LOAD_MODULES, where set, name another nginx
and module than the installed one and the one that was built for it."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from client import Client, Failure

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DIR = TOP + "/build/bench"
NGINX = os.environ.get("TEST_NGINX_BINARY", "/usr/sbin/nginx")
MODULE = os.environ.get("TEST_NGINX_LOAD_MODULES",
                        TOP + "/build/ngx_http_dfpreheat_module.so")

PORTS = range(20000, 32000)     # below those the kernel hands out by itself
PORT_TRIES = 100
START_SECONDS = 10              # for a server to answer
STOP_SECONDS = 20               # for it to leave before it is killed
POLL = 0.02                     # seconds between two looks
ADMIN_KEY = "the-admin-key-of-a-benchmark"


def until(what, condition, seconds, pause=POLL):
    """Waits until CONDITION() is true and returns what it said."""
    end = time.monotonic() + seconds

    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Failure("%s: not within %d s" % (what, seconds))
        time.sleep(pause)


def free_port():
    for _ in range(PORT_TRIES):
        port = random.choice(PORTS)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue

    raise Failure("no free port was found")


class Servers:
    """What a group of figures is measured on. Use it as a context: whatever
    happens inside, nothing runs on after it."""

    def __init__(self):
        self.processes = {}
        self.nginx = ["front", "origin"]    # whose logs are checked
        self.baseline = "ok"
        self.values = {}            # of a group's own configurations

        shutil.rmtree(DIR, ignore_errors=True)
        for name in ("tmp", "cache", "files", "redis"):
            os.makedirs(os.path.join(DIR, name))

        with open(DIR + "/admin.key", "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(ADMIN_KEY)

        self.ports = {name: free_port() for name in
                      ("redis", "origin", "front")}
        self.origin = "http://127.0.0.1:%d" % self.ports["origin"]
        self.front = "http://127.0.0.1:%d" % self.ports["front"]

    def __enter__(self):
        try:
            self.start_redis()
            self.start_nginx("origin")
            self.start_nginx("front")
            self.client = Client(self.ports["front"])
            self.client.create_token(ADMIN_KEY)
        except BaseException:
            self.stop_all()
            raise

        return self

    def __exit__(self, kind, *_):
        self.stop_all()

        if kind is None:
            self.check_logs()

    def start_redis(self):
        """As docs/operations.md has it: an append-only file, no eviction."""
        self.start("redis", [
            "redis-server", "--bind", "127.0.0.1",
            "--port", str(self.ports["redis"]), "--dir", DIR + "/redis",
            "--appendonly", "yes", "--save", "",
            "--maxmemory-policy", "noeviction"])

    def start_nginx(self, name, template=None):
        """Its configuration is bench/TEMPLATE.conf, or bench/NAME.conf."""
        conf = "%s/%s.conf" % (DIR, name)
        values = {
            "MODULE": MODULE, "DIR": DIR, "CONF": TOP + "/conf",
            "CONNECTIONS": "1024", "WORKERS": "2", "RATE": "0", "AIO": "",
            "USER": "user root;" if os.getuid() == 0 else "",
            "ORIGIN": self.origin, "BASELINE": self.baseline,
            "ORIGIN_PORT": str(self.ports["origin"]),
            "FRONT_PORT": str(self.ports["front"]),
            "REDIS_PORT": str(self.ports["redis"]),
            **self.values,
        }

        with open("%s/bench/%s.conf" % (TOP, template or name)) as f:
            text = re.sub("@([A-Z_]+)@", lambda m: values[m[1]], f.read())

        with open(conf, "w") as f:
            f.write(text)

        self.start(name, [NGINX, "-c", conf, "-g", "daemon off;",
                          "-e", "%s/%s.error.log" % (DIR, name)])

    def start(self, name, command):
        """The kernel stops it when this process is gone, whatever the way."""
        with open("%s/%s.out" % (DIR, name), "a") as out:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--"] + command,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

        self.processes[name] = process

        def answers():
            if process.poll() is not None:
                raise Failure("%s does not start, see %s" % (name, DIR))
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.ports[name])) == 0

        until("%s answers" % name, answers, START_SECONDS)

    def stop(self, name):
        process = self.processes.pop(name)

        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self):
        for name in reversed(list(self.processes)):
            self.stop(name)

    def add(self, name, command):
        """One more server; @PORT@ in its command becomes a free port."""
        port = self.ports[name] = free_port()
        self.start(name, [str(port) if word == "@PORT@" else word
                          for word in command])

    def restart_front(self):
        """The nginx that is measured, with what was set since."""
        self.client.close()
        self.stop("front")
        self.start_nginx("front")

    def set_baseline(self, size):
        """The answer of /baseline has SIZE bytes from here on."""
        self.baseline = "x" * size
        self.restart_front()

    def empty_cache(self):
        """By another nginx: this one would remember what it had."""
        self.client.close()
        self.stop("front")
        shutil.rmtree(DIR + "/cache")
        self.start_nginx("front")

    def workers(self):
        """The ids of the module's processes, not of those of the cache."""
        ids = []

        for child in self.children("front"):
            with open("/proc/%d/cmdline" % child) as f:
                if "worker process" in f.read():
                    ids.append(child)

        return ids

    def children(self, name):
        master = self.processes[name].pid

        with open("/proc/%d/task/%d/children" % (master, master)) as f:
            return [int(child) for child in f.read().split()]

    def check_logs(self):
        """nginx has called nothing worse than an error."""
        for name in self.nginx:
            with open("%s/%s.error.log" % (DIR, name)) as f:
                for line in f:
                    if re.search(r"\[(alert|crit|emerg)\]", line):
                        raise Failure("in %s's log: %s" % (name, line))
