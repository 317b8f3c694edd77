"""Bytes warmed a second by one job, against curls that get the same blobs
through the same location; the cache is empty each time."""

import subprocess
import time

import files
import load

FIGURES = {"warm_ratio": ("of curl", ">= 0.9")}

LAYERS = 20
LAYER_BYTES = 50 * 1000 * 1000
PARALLEL = 8
ROUNDS = 5
CURL_SECONDS = 120


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

        subprocess.run(command, check=True, timeout=CURL_SECONDS)

    def rate(work):
        servers.empty_cache()
        start = time.monotonic()
        work()
        return LAYERS * LAYER_BYTES / 1e6 / (time.monotonic() - start)

    # the files of the origin are in memory for whoever comes first

    curl()

    yield "warm_ratio", "%.2f" % load.alternate(
        "MB/s warmed and by curl", ROUNDS, lambda: rate(job),
        lambda: rate(curl))
