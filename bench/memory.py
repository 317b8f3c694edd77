"""By how much a worker's memory grows while 100 jobs of 60 layers run."""

import files
import load

FIGURES = {"memory_growth_mb": ("MB of a worker", "< 20")}

JOBS = 100
LAYERS = 60
LAYER_BYTES = 64 * 1000


def measure(servers):
    images = [files.Image(servers.origin, i, LAYERS, LAYER_BYTES)
              for i in range(JOBS)]
    before = {worker: memory(worker, "VmRSS") for worker in servers.workers()}

    jobs = [servers.client.post(type="image", url=image.url)
            for image in images]

    for job in jobs:
        servers.client.ended(job, 0.02)

    grown = [memory(worker, "VmHWM") - before[worker] for worker in before]
    load.note("memory_growth_mb: of each worker: %s"
              % ", ".join("%.1f" % mb for mb in grown))

    yield "memory_growth_mb", "%.1f" % max(grown)


def memory(worker, line):
    """MB; VmHWM is the peak of VmRSS."""
    with open("/proc/%d/status" % worker) as f:
        for name, value, *_ in map(str.split, f):
            if name == line + ":":
                return int(value) / 1024
