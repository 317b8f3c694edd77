"""The nginx of conf/examples/cluster on this machine, from these very files with
other addresses and paths, and without TLS: origin and curl have none here."""

import contextlib
import os
import re
import shutil

import files
from client import Client, Failure
from servers import DIR, TOP, free_port, until

COUNT = 3
EXAMPLE = TOP + "/conf/examples/cluster"
FILES = ("instance.conf", "members.conf", "owner.conf", "registry.conf")
KEY = "0123456789abcdef" * 4
READY_SECONDS = 10


class Cluster:
    """In place of the nginx that the other benchmarks measure, whose token is
    valid for these."""

    def __init__(self, servers):
        self.servers = servers
        self.names = ["nginx-%d" % (1 + i) for i in range(COUNT)]

        servers.client.close()
        servers.stop("front")
        servers.nginx += self.names

        with open(DIR + "/dfpreheat.key", "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(KEY)

        self.probe = files.Image(servers.origin, 0, 1, 100)

        for name in self.names:
            servers.ports[name] = free_port()

        self.ports = [servers.ports[name] for name in self.names]
        self.fronts = ["http://127.0.0.1:%d" % port for port in self.ports]
        self.client = Client(self.ports[0])
        self.client.token = servers.client.token

    @contextlib.contextmanager
    def running(self, example):
        """Meanwhile all of them run, and know of each other. They began with empty
        caches. Without EXAMPLE, each requests blobs from the origin."""
        for i, name in enumerate(self.names):
            self.start(name, i, example)

        until("all nginx are members", self.complete, READY_SECONDS)
        yield

        self.client.close()

        for name in self.names:
            self.servers.stop(name)
            shutil.rmtree("%s/%s" % (DIR, name))

    def start(self, name, i, example):
        folder = "%s/%s" % (DIR, name)
        os.makedirs(folder)

        for file in FILES:
            with open("%s/%s" % (EXAMPLE, file)) as f:
                text = self.adapted(f.read(), name, i, example)
            with open("%s/%s" % (folder, file), "w") as f:
                f.write(text)

        self.servers.values.update(NAME=name, FOLDER=folder)
        self.servers.start_nginx(name, "several")

    def adapted(self, text, name, i, example):
        """A file of the example, for this nginx."""
        folder = "%s/%s" % (DIR, name)
        origin = self.servers.origin

        if not example:
            text = text.replace("https://cluster/cluster$uri", origin)

        for old, new in (
                (r"\n *(proxy_)?ssl_.*", ""),
                (r"443 ssl", "127.0.0.1:%d" % self.ports[i]),
                (r"10\.0\.0\.10:6379",
                 "127.0.0.1:%d" % self.servers.ports["redis"]),
                (r"10\.0\.0\.1(\d):443",
                 lambda m: "127.0.0.1:%d" % self.ports[int(m[1]) - 1]),
                (r"10\.0\.0\.1\d", "127.0.0.1"),
                (r"https://registry\.lan", origin),
                (r"https://cluster", "http://cluster"),
                (r"\$hostname", name),
                (r"/var/cache/nginx/registry", folder + "/cache"),
                (r"/etc/nginx/dfpreheat\.key", DIR + "/dfpreheat.key"),
                (r"/etc/nginx/dfpreheat-admin\.key", DIR + "/admin.key"),
                (r"(include +)cluster/", r"\1%s/" % folder),
                (r"(include +)dfpreheat_", r"\1%s/conf/dfpreheat_" % TOP)):
            text = re.sub(old, new, text)

        return text

    def complete(self):
        """A job for all is one for each of them."""
        return self.job(self.probe, 0.01) == self.names

    def preheat(self, image, pause, **args):
        """Returns when all of them hold this image."""
        names = self.job(image, pause, **args)

        if names != self.names:
            raise Failure("the job was only for %s" % names)

    def job(self, image, pause, **args):
        """The names of the nginx that hold what it has preheated."""
        number = self.client.post(type="image", url=image.url,
                                  scope="all_peers", **args)
        job = self.client.ended(number, pause)

        return sorted({task["hostname"]
                       for state in job["result"]["job_states"]
                       for part in state["results"]
                       for task in part["success_tasks"]})

    def sent(self):
        """The bytes that the origin has sent so far."""
        with open(DIR + "/origin.log") as f:
            return sum(int(line.split()[-1]) for line in f)
