"""A job of 1 GB for three nginx that share a Redis, each with an empty cache of
its own: against three curls at once, one through each nginx; and as in
conf/examples/cluster, where the origin sends each blob once, against one curl
through one nginx."""

import subprocess
import time

import cluster_example
import files
import load
from client import Failure

FIGURES = {"several_ratio": ("of three curls' time", "<= 1.2"),
           "several_example_ratio": ("of one curl's time", "-")}

LAYERS = 20
LAYER_BYTES = 50 * 1000 * 1000
PARALLEL = 8            # downloads of one nginx, and of one curl
ROUNDS = 3
POLL = 0.005            # seconds between two GETs of the job
CURL_SECONDS = 120


def measure(servers):
    image = files.Image(servers.origin, 1, LAYERS, LAYER_BYTES)
    cluster = cluster_example.Cluster(servers)

    def job():
        cluster.preheat(image, POLL, concurrent_task_count=PARALLEL)

    def curls(count):
        processes = [subprocess.Popen(curl(front, image))
                     for front in cluster.fronts[:count]]
        try:
            codes = [process.wait(CURL_SECONDS) for process in processes]
        finally:
            for process in processes:
                process.kill()

        if any(codes):
            raise Failure("curl has ended with %s" % codes)

    def clock(what, example, work):
        """Its seconds, from a start of all nginx with empty caches."""
        with cluster.running(example):
            before = cluster.sent()
            start = time.monotonic()
            work()
            seconds = time.monotonic() - start

        load.note("%s: the origin has sent %.2f GB"
                  % (what, (cluster.sent() - before) / 1e9))

        return seconds

    # the files of the origin are in memory for whoever comes first

    clock("one curl, first", False, lambda: curls(1))

    yield "several_ratio", "%.2f" % load.alternate(
        "seconds of a job for three nginx and of three curls", ROUNDS,
        lambda: clock("job", False, job),
        lambda: clock("three curls", False, lambda: curls(3)))
    yield "several_example_ratio", "%.2f" % load.alternate(
        "seconds of a job with the example and of one curl", ROUNDS,
        lambda: clock("job with the example", True, job),
        lambda: clock("one curl", False, lambda: curls(1)))


def curl(front, image):
    command = ["curl", "--no-progress-meter", "--fail", "--parallel",
               "--parallel-immediate", "--parallel-max", str(PARALLEL)]

    for path in image.blobs:
        command += ["--output", "/dev/null", front + path]

    return command
