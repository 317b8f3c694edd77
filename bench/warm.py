"""Bytes warmed a second by one job, against curls that get the same blobs, and
against skopeo, which checks digests as jobs do, through the same location; the cache
is empty each time. And jobs a second for an image that is there."""

import collections
import subprocess
import time

import files
import load

FIGURES = {"warm_ratio": ("of curl", ">= 0.9"),
           "warm_skopeo_ratio": ("of skopeo's time", "<= 0.5"),
           "warm_again_jobs": ("a second", "-")}

LAYERS = 20
LAYER_BYTES = 50 * 1000 * 1000
PARALLEL = 8
ROUNDS = 5
SECONDS = 120           # for one copy
AGAIN_LAYERS = 10
AGAIN_BYTES = 100 * 1000
AGAIN_JOBS = 300        # eight at a time


def measure(servers):
    image = files.Image(servers.origin, 1, LAYERS, LAYER_BYTES)

    def job():
        servers.client.ended(
            servers.client.post(type="image", url=image.url,
                                concurrent_task_count=PARALLEL), 0.005)

    def curl():
        command = ["curl", "--no-progress-meter", "--fail", "--parallel",
                   "--parallel-immediate", "--parallel-max", str(PARALLEL)]

        for path in image.blobs:
            command += ["--output", "/dev/null", servers.front + path]

        subprocess.run(command, check=True, timeout=SECONDS)

    def clock(work):
        servers.empty_cache()
        start = time.monotonic()
        work()
        return time.monotonic() - start

    def rate(work):
        return LAYERS * LAYER_BYTES / 1e6 / clock(work)

    # the files of the origin are in memory for whoever comes first

    curl()

    yield "warm_ratio", "%.2f" % load.alternate(
        "MB/s warmed and by curl", ROUNDS, lambda: rate(job),
        lambda: rate(curl))
    yield "warm_skopeo_ratio", "%.2f" % load.alternate(
        "seconds of a job and of skopeo", ROUNDS, lambda: clock(job),
        lambda: clock(lambda: files.skopeo(servers.front, image, SECONDS)))
    yield "warm_again_jobs", "%.0f" % again(servers)


def again(servers):
    """Jobs a second for an image that an earlier one has warmed."""
    image = files.Image(servers.origin, 2, AGAIN_LAYERS, AGAIN_BYTES)

    def post():
        return servers.client.post(type="image", url=image.url)

    servers.client.ended(post(), 0.005)
    start = time.monotonic()
    open_jobs = collections.deque()

    for _ in range(AGAIN_JOBS):
        if len(open_jobs) == PARALLEL:
            servers.client.ended(open_jobs.popleft(), 0.002)
        open_jobs.append(post())

    for number in open_jobs:
        servers.client.ended(number, 0.002)

    return AGAIN_JOBS / (time.monotonic() - start)
