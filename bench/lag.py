"""From the last byte of an image leaving the origin, as the origin's access
log has it, to SUCCESS in a GET."""

import statistics
import time

import files
import load
from servers import DIR, until

FIGURES = {"success_lag_ms": ("ms", "< 50")}

JOBS = 21
LAYERS = 10
LAYER_BYTES = 5 * 1000 * 1000
POLL = 0.001
LOG_SECONDS = 5         # for the origin to write its last line


def measure(servers):
    lags = []

    for i in range(JOBS):
        image = files.Image(servers.origin, i, LAYERS, LAYER_BYTES)
        number = servers.client.post(type="image", url=image.url)
        servers.client.ended(number, POLL)
        seen = time.time()

        lags.append((seen - last_left(image)) * 1000)

    load.note("success_lag_ms: %.1f to %.1f" % (min(lags), max(lags)))

    yield "success_lag_ms", "%.1f" % statistics.median(lags)


def last_left(image):
    """When the last of the image's blobs had left, in seconds."""

    def times():
        with open(DIR + "/origin.log") as f:
            left = [float(line.split()[0]) for line in f
                    if image.path + "/blobs/" in line]
        return len(left) == len(image.blobs) and left

    return max(until("the origin's log is complete", times, LOG_SECONDS))
