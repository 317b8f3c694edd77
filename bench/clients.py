"""What clients notice of a job: the 99th percentile of 300 cached GETs a second
while it warms large layers, against the same while curls fetch them through the
same location, and against quiet with a limit of the rate. One worker does all of
it."""

import contextlib
import statistics
import subprocess
import sys
import time

import files
import load
from client import Failure

FIGURES = {"clients_job_ratio": ("of the p99 beside curls", "<= 0.5"),
           "clients_rate_ratio": ("of the p99 when it is quiet", "<= 2"),
           "clients_aio_ratio": ("of the p99 without aio threads", "<= 2")}

LAYERS = 20
LAYER_BYTES = 50 * 1000 * 1000
PARALLEL = 8
GETS = 300              # a second, over so many
CONNECTIONS = 64
GET_BYTES = 10 * 1000
GET_PATH = "/small"
QUIET = 5               # seconds without anything else
SHARE = 5               # the rate is a fifth of the full speed
ROUNDS = 3
SECONDS = 300           # for one round


def measure(servers):
    files.put(GET_PATH, files.content(GET_BYTES, 0))
    bench = Bench(servers)

    # the files of the origin are in memory for whoever comes first
    bench.curls()

    yield "clients_job_ratio", "%.2f" % load.alternate(
        "ms beside a job and beside curls", ROUNDS,
        lambda: bench.p99(bench.job), lambda: bench.p99(bench.curls))

    rate = bench.speed() / SHARE
    load.note("a fifth of the full speed: %.1f MB/s" % (rate / 1e6))

    yield "clients_rate_ratio", "%.2f" % load.alternate(
        "ms beside a limited job and when it is quiet", ROUNDS,
        lambda: bench.p99(bench.job, RATE="%d" % rate),
        lambda: bench.p99(bench.quiet))
    yield "clients_aio_ratio", "%.2f" % load.alternate(
        "ms beside a job with aio threads and without", ROUNDS,
        lambda: bench.p99(bench.job, AIO="aio threads;"),
        lambda: bench.p99(bench.job))


class Bench:
    def __init__(self, servers):
        self.servers = servers
        self.image = files.Image(servers.origin, 1, LAYERS, LAYER_BYTES)
        self.seconds = []       # of jobs without a limit

    def p99(self, work, **values):
        """Of the GETs while WORK goes on, with an empty cache."""
        self.servers.values = {"WORKERS": "1", **values}
        self.servers.empty_cache()

        start = time.monotonic()

        with self.gets() as gets:
            work()

        if work == self.job and "RATE" not in values:
            self.seconds.append(time.monotonic() - start)

        number, p99, longest = gets.communicate()[0].split()

        if gets.returncode:
            raise Failure("the GETs failed")

        load.note("%s %s: %s GETs, 99 %% in %s ms, all in %s ms"
                  % (work.__name__, values or "", number, p99, longest))

        return float(p99)

    @contextlib.contextmanager
    def gets(self):
        """They end when their standard input does."""
        subprocess.run(["curl", "--no-progress-meter", "--fail", "-o",
                        "/dev/null", self.servers.front + GET_PATH], check=True)

        gets = subprocess.Popen(
            [sys.executable, load.BENCH + "/pings.py",
             str(self.servers.ports["front"]), GET_PATH, str(GETS),
             str(CONNECTIONS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            gets.stdout.readline()
            yield gets
        except BaseException:
            gets.kill()
            raise

    def job(self):
        self.servers.client.ended(
            self.servers.client.post(type="image", url=self.image.url,
                                     concurrent_task_count=PARALLEL), 0.02)

    def curls(self):
        command = ["curl", "--no-progress-meter", "--fail", "--parallel",
                   "--parallel-immediate", "--parallel-max", str(PARALLEL)]

        for path in self.image.blobs:
            command += ["--output", "/dev/null", self.servers.front + path]

        subprocess.run(command, check=True, timeout=SECONDS)

    def quiet(self):
        time.sleep(QUIET)

    def speed(self):
        """Of jobs without a limit: bytes a second."""
        return LAYERS * LAYER_BYTES / statistics.median(self.seconds)
