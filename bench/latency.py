"""An image of many layers from a registry that is far away: until the job has
ended, against skopeo and against curls that get the same manifest and blobs."""

import os
import subprocess
import sys
import time

import files
import load
from servers import DIR

FIGURES = {"latency_skopeo_ratio": ("of skopeo's time", "< 1"),
           "latency_curl_ratio": ("of the curls' time", "<= 1.2")}

LAYERS = 60
LAYER_BYTES = 100 * 1000
LATENCY = 0.02          # seconds a request
PARALLEL = 8
ROUNDS = 5
SECONDS = 60            # for one copy


def measure(servers):
    origin = far_registry(servers)
    image = files.Image(origin, 1, LAYERS, LAYER_BYTES)

    def clock(work):
        servers.empty_cache()
        start = time.monotonic()
        work()
        return time.monotonic() - start

    def job():
        servers.client.ended(
            servers.client.post(type="image", url=image.url,
                                concurrent_task_count=PARALLEL), 0.002)

    def skopeo():
        files.skopeo(origin, image, SECONDS)

    # whoever pulls reads the manifest before it knows of the blobs

    def curl():
        run("curl", "--no-progress-meter", "--fail", "-o", "/dev/null",
            image.url)
        run("curl", "--no-progress-meter", "--fail", "--parallel",
            "--parallel-immediate", "--parallel-max", str(PARALLEL),
            *(word for path in image.blobs
              for word in ("-o", "/dev/null", origin + path)))

    yield "latency_skopeo_ratio", "%.2f" % load.alternate(
        "seconds of a job and of skopeo", ROUNDS, lambda: clock(job),
        lambda: clock(skopeo))
    yield "latency_curl_ratio", "%.2f" % load.alternate(
        "seconds of a job and of curls", ROUNDS, lambda: clock(job),
        lambda: clock(curl))


def far_registry(servers):
    """Its address, which the nginx that is measured gets things from."""
    servers.add("slow", [sys.executable,
                         os.path.join(load.BENCH, "slow.py"),
                         DIR + "/files", "@PORT@", str(LATENCY)])
    servers.origin = "http://127.0.0.1:%d" % servers.ports["slow"]
    servers.restart_front()

    return servers.origin


def run(*command):
    subprocess.run(command, check=True, timeout=SECONDS)
